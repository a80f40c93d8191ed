/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qemu_keys.c - lib/plan/qemu_keys.c */

#include "plan/qemu_keys.h"

#include "suite.h"

/* What was read as one text: "key=value" of each key, with blanks between them. */
static char *print(const GPtrArray *keys)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];

		g_string_append_printf(text, "%s%s=%s", i ? " " : "", key->key, key->value);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static const struct {
	const char *argument;
	const char *first;
	const char *keys;
} arguments[] = {
	{ "user,id=n0", "type", "type=user id=n0" },
	{ "type=user,id=n0", "type", "type=user id=n0" },
	{ "file=a,,b,readonly,nosnapshot", NULL, "file=a,b readonly=on snapshot=off" },
	{ ":0,websocket", "vnc", "vnc=:0 websocket=on" },
	{ "", NULL, "" },
	{ "a=1,a=2,", NULL, "a=1 a=2" },
	{ "{}", NULL, "" },
	{ "{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/a,b\"}}", "driver",
	  "driver=raw file.driver=file file.filename=/a,b" },
	{ "{\"a\":true,\"b\":false,\"c\":null,\"d\":18446744073709551615,\"e\":-1}", NULL,
	  "a=on b=off c= d=18446744073709551615 e=-1" },
	{ "{\"a\":[{\"str\":\"x\"},\"y\"]}", NULL, "a.0.str=x a.1=y" },
	{ "{\"a\": @{index+3}, \"b\": [@{index}]}", NULL, "a=@{index+3} b.0=@{index}" },
	{ "{\"a\":1@{index},\"b\":\"@{name}\\\"@{uuid}\"}", NULL, "a=1@{index} b=@{name}\"@{uuid}" },
	{ "{\"a\":@{index", NULL, "" },
	{ "{\"a\":1", NULL, "" },
};

START_TEST(read_in_any_form)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(arguments[_i].argument, arguments[_i].first);

	assert_text_and_free(print(keys), arguments[_i].keys);
}
END_TEST

static const struct {
	const char *argument;
	const char *keys;
} chardevs[] = {
	{ "stdio", "backend=stdio" },
	{ "mon:stdio", "backend=stdio" },
	{ "chardev:a", "backend=chardev:a" },
	{ "file:a,b", "backend=file path=a,b" },
	{ "pipe:a", "backend=pipe path=a" },
	{ "pty:a", "backend=pty path=a" },
	{ "/dev/ttyS0", "backend=serial path=/dev/ttyS0" },
	{ "/dev/parport0", "backend=parallel path=/dev/parport0" },
	{ "/dev/ppi0", "backend=parallel path=/dev/ppi0" },
	{ "tcp:h:1,server", "backend=socket host=h port=1 server=on" },
	{ "telnet::1,server=on,nowait", "backend=socket host= port=1 server=on wait=off" },
	{ "mon:tn3270:h:1", "backend=socket host=h port=1" },
	{ "websocket:h:1", "backend=socket host=h port=1" },
	{ "tcp:1", "backend=socket" },
	{ "unix:/a,,b,server=on", "backend=socket path=/a,b server=on" },
	{ "udp:h:1", "backend=udp host=h port=1" },
	{ "udp:h:1@l:2", "backend=udp host=h port=1 localaddr=l localport=2" },
	{ "udp::@{index+1}@:@{index+2}",
	  "backend=udp host= port=@{index+1} localaddr= localport=@{index+2}" },
};

START_TEST(read_in_short_form)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read_chardev(chardevs[_i].argument);

	assert_text_and_free(print(keys), chardevs[_i].keys);
}
END_TEST

START_TEST(written_in_the_users_form)
{
	g_autoptr(GPtrArray) list = exm_qemu_keys_read("raw,file=x", "driver");
	g_autoptr(GPtrArray) json = exm_qemu_keys_read("{\"a\":{\"b\":\"x\",\"c\":1}}", NULL);
	g_autoptr(GPtrArray) tcp = exm_qemu_keys_read_chardev("mon:tcp:h:1");
	g_autoptr(GPtrArray) file = exm_qemu_keys_read_chardev("file:x");
	g_autoptr(GPtrArray) whole = exm_qemu_keys_read_whole("-pidfile", "x");

	assert_text_and_free(exm_qemu_key_write(list->pdata[0], "1,2"), "1,,2");
	assert_text_and_free(exm_qemu_key_write(list->pdata[1], "1,2"), "file=1,,2");
	assert_text_and_free(exm_qemu_key_write(json->pdata[0], "1,2"), "\"b\":\"1,2\"");
	assert_text_and_free(exm_qemu_key_write(json->pdata[1], "12"), "\"c\":12");
	assert_text_and_free(exm_qemu_key_write(tcp->pdata[2], "2"), "mon:tcp:h:2");
	assert_text_and_free(exm_qemu_key_write(file->pdata[1], "1,2"), "file:1,2");
	assert_text_and_free(exm_qemu_key_write(whole->pdata[0], "1,2"), "-pidfile 1,2");
}
END_TEST

START_TEST(the_last_value_counts)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read("a=on,a=off,b=yes,c=1", NULL);

	ck_assert_str_eq(exm_qemu_keys_get(keys, "a"), "off");
	ck_assert_ptr_null(exm_qemu_keys_get(keys, "d"));
	ck_assert(!exm_qemu_keys_is_on(keys, "a"));
	ck_assert(exm_qemu_keys_is_on(keys, "b"));
	ck_assert(!exm_qemu_keys_is_on(keys, "c"));
	ck_assert(!exm_qemu_keys_is_on(keys, "d"));
}
END_TEST

Suite *qemu_keys_suite(void)
{
	Suite *suite = suite_create("qemu_keys");
	TCase *tcase = tcase_create("qemu_keys");

	tcase_add_loop_test(tcase, read_in_any_form, 0, G_N_ELEMENTS(arguments));
	tcase_add_loop_test(tcase, read_in_short_form, 0, G_N_ELEMENTS(chardevs));
	tcase_add_test(tcase, written_in_the_users_form);
	tcase_add_test(tcase, the_last_value_counts);
	suite_add_tcase(suite, tcase);
	return suite;
}
