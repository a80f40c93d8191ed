/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_disk.c - lib/plan/disk.c */

#include "plan/disk.h"

#include "suite.h"

/* The words of a command line, cut at single blanks. */
static ExmQemuLine *read_line(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	g_autoptr(GError) error = NULL;
	ExmQemuLine *line = exm_qemu_line_parse((const char *const *)words, &error);

	assert_no_error(error);
	return line;
}

static const ExmDisk *only_disk(const GPtrArray *disks)
{
	ck_assert_uint_eq(disks->len, 1);
	return disks->pdata[0];
}

/* Images that the guest writes to, and the word that names an overlay in their place. */
static const struct {
	const char *line;
	const char *path;
	const char *format;
	const char *rewritten;
} images[] = {
	{ "a.img", "a.img", NULL, "-drive file=/o,,1,index=0,media=disk,format=qcow2" },
	{ "-hda a,b", "a,b", NULL, "-drive file=/o,,1,index=0,media=disk,format=qcow2" },
	{ "-hdb a", "a", NULL, "-drive file=/o,,1,index=1,media=disk,format=qcow2" },
	{ "-hdc a", "a", NULL, "-drive file=/o,,1,index=2,media=disk,format=qcow2" },
	{ "-hdd a", "a", NULL, "-drive file=/o,,1,index=3,media=disk,format=qcow2" },
	{ "-fda a", "a", NULL, "-drive file=/o,,1,if=floppy,index=0,format=qcow2" },
	{ "--fdb a", "a", NULL, "-drive file=/o,,1,if=floppy,index=1,format=qcow2" },
	{ "-mtdblock a", "a", NULL, "-drive file=/o,,1,if=mtd,format=qcow2" },
	{ "-sd a", "a", NULL, "-drive file=/o,,1,if=sd,format=qcow2" },
	{ "-pflash a", "a", NULL, "-drive file=/o,,1,if=pflash,format=qcow2" },
	{ "-hda file:a", "a", NULL, "-drive file=/o,,1,index=0,media=disk,format=qcow2" },
	{ "-hda /dev/vg/lv", "/dev/vg/lv", NULL, "-drive file=/o,,1,index=0,media=disk,format=qcow2" },
	{ "-hda @{dir}/a:b", "@{dir}/a:b", NULL, "-drive file=/o,,1,index=0,media=disk,format=qcow2" },
	{ "-drive file=a,,b", "a,b", NULL, "-drive file=/o,,1,format=qcow2" },
	{ "-drive if=virtio,file=a,format=raw,cache=none,aio=native,discard=unmap,id=x,serial=1,,2",
	  "a", "raw",
	  "-drive file=/o,,1,if=virtio,cache=none,aio=native,discard=unmap,id=x,serial=1,,2,"
	  "format=qcow2" },
	{ "-drive file=a,driver=qcow2,snapshot=off,readonly=off,index=1,media=disk", "a", "qcow2",
	  "-drive file=/o,,1,snapshot=off,readonly=off,index=1,media=disk,format=qcow2" },
	{ "-drive file.driver=host_device,file.filename=/dev/sda,file.locking=off,format=raw",
	  "/dev/sda", "raw", "-drive file=/o,,1,file.locking=off,format=qcow2" },
	{ "-drive driver=file,filename=a,if=none,id=x", "a", "raw",
	  "-drive file=/o,,1,if=none,id=x,format=qcow2" },
	{ "-blockdev qcow2,node-name=d,file.driver=file,file.filename=a,file.aio=native,cache.direct=on",
	  "a", "qcow2",
	  "-blockdev driver=qcow2,node-name=d,file.aio=native,cache.direct=on,file.driver=file,"
	  "file.filename=/o,,1" },
	{ "-blockdev {\"driver\":\"raw\",\"node-name\":\"d\",\"cache\":{\"direct\":true},"
	  "\"file\":{\"driver\":\"host_device\",\"filename\":\"/dev/sda\",\"aio\":\"native\"}}",
	  "/dev/sda", "raw",
	  "-blockdev driver=qcow2,node-name=d,cache.direct=on,file.aio=native,file.driver=file,"
	  "file.filename=/o,,1" },
	{ "-blockdev {\"driver\":\"qcow2\",\"node-name\":\"d\",\"backing\":null,"
	  "\"file.driver\":\"file\",\"file.filename\":\"a,b\"}",
	  "a,b", "qcow2", "-blockdev driver=qcow2,node-name=d,file.driver=file,file.filename=/o,,1" },
	{ "-blockdev file,node-name=d,filename=a,aio=threads,discard=unmap,cache.no-flush=on", "a",
	  "raw",
	  "-blockdev driver=qcow2,node-name=d,file.aio=threads,discard=unmap,cache.no-flush=on,"
	  "file.driver=file,file.filename=/o,,1" },
};

START_TEST(overlay_in_place_of_an_image)
{
	g_autoptr(ExmQemuLine) line = read_line(images[_i].line);
	g_autoptr(GPtrArray) disks = exm_disks_read(line);
	const ExmDisk *disk = only_disk(disks);
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

	ck_assert_str_eq(disk->argument, images[_i].line);
	ck_assert_str_eq(disk->path, images[_i].path);
	ck_assert_pstr_eq(disk->format, images[_i].format);
	ck_assert(!disk->read_only);
	ck_assert_pstr_eq(disk->obstacle, NULL);
	ck_assert_uint_eq(disk->word, 0);
	ck_assert_uint_eq(disk->file_word, 0);
	ck_assert(exm_disk_rewrite(line, disk, "/o,1", "qcow2", argv));
	g_ptr_array_add(argv, NULL);
	assert_text_and_free(g_strjoinv(" ", (char **)argv->pdata), images[_i].rewritten);
}
END_TEST

#define NO_FILE(driver)                                                                    \
	"'" driver "' is no file that an overlay can lie over: use an image file, or add " \
	"'read-only=on'"
#define MORE(id, format)                                                     \
	"this is more than a format on a file: write '-drive if=none,id=" id \
	",file=PATH,format=" format "'"
#define CANNOT_HAVE(key) "an overlay cannot have '" key "': use an image without it"
#define LOSES(option) \
	"'" option    \
	"' loses what the guest writes: leave it out, each child has an overlay of its own"

/* Images that the guest writes to, and why there can be no overlay over them. */
static const struct {
	const char *line;
	const char *path;
	const char *obstacle;
} obstacles[] = {
	{ "-drive file=a,snapshot=on", "a", LOSES("snapshot") },
	{ "-drive file=a,snapshot", "a", LOSES("snapshot") },
	{ "-hda a -snapshot", "a", LOSES("-snapshot") },
	{ "-drive file=a -snapshot", "a", LOSES("-snapshot") },
	{ "-hda nbd:localhost:10809", "nbd:localhost:10809", NO_FILE("nbd") },
	{ "-drive file=rbd:pool/image,format=raw", "rbd:pool/image", NO_FILE("rbd") },
	{ "-drive file=fat:rw:/srv", "fat:rw:/srv", NO_FILE("fat") },
	{ "-drive file=json:{}", "json:{}", NO_FILE("json") },
	{ "-drive file.driver=nbd,file.path=/s,format=raw", "", NO_FILE("nbd") },
	{ "-drive driver=nbd,server.path=/s", "", NO_FILE("nbd") },
	{ "-hda /dev/sg0", "/dev/sg0",
	  "the guest drives '/dev/sg0' itself: use an image, or leave it out" },
	{ "-drive file=/dev/fdset/1", "/dev/fdset/1",
	  "a child does not inherit '/dev/fdset/1': write the image's path" },
	{ "-blockdev file,node-name=n,filename=/proc/self/fd/5", "/proc/self/fd/5",
	  "a child does not inherit '/proc/self/fd/5': write the image's path" },
	{ "-drive file=a,format=qcow2,backing.file.filename=b", "a",
	  CANNOT_HAVE("backing.file.filename") },
	{ "-drive file=a,format=raw,offset=512", "a", CANNOT_HAVE("offset") },
	{ "-drive file=a,encrypt.key-secret=s", "a", CANNOT_HAVE("encrypt.key-secret") },
	{ "-drive file=a,format=luks,key-secret=s", "a", CANNOT_HAVE("key-secret") },
	{ "-blockdev qcow2,node-name=d,backing=b,file.driver=file,file.filename=a", "a",
	  CANNOT_HAVE("backing") },
	{ "-blockdev nbd,node-name=n,server.type=unix,server.path=/s", "", NO_FILE("nbd") },
	{ "-blockdev vvfat,node-name=n,dir=/srv,rw=on", "", NO_FILE("vvfat") },
	{ "-blockdev qcow2,node-name=d,file.driver=nbd,file.server.type=unix", "",
	  MORE("d", "qcow2") },
	{ "-blockdev raw,node-name=d,file=missing", "", MORE("d", "raw") },
	{ "-blockdev raw,node-name=d,file.driver=file", "", MORE("d", "raw") },
	{ "-blockdev raw,file=n,node-name=d -blockdev nbd,node-name=n", "", MORE("d", "raw") },
	{ "-blockdev throttle,node-name=t,file.driver=qcow2,file.file.driver=file,"
	  "file.file.filename=a",
	  "", MORE("t", "FORMAT") },
};

START_TEST(obstacle_to_an_overlay)
{
	g_autoptr(ExmQemuLine) line = read_line(obstacles[_i].line);
	g_autoptr(GPtrArray) disks = exm_disks_read(line);
	const ExmDisk *disk = only_disk(disks);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autofree char *obstacle = g_strdup_printf("'%s': %s", disk->argument,
	                                            obstacles[_i].obstacle);

	ck_assert_str_eq(disk->path, obstacles[_i].path);
	ck_assert_pstr_eq(disk->obstacle, obstacle);
	ck_assert(!exm_disk_rewrite(line, disk, "/o", "qcow2", argv));
	ck_assert_uint_eq(argv->len, 0);
}
END_TEST

/* What the guest cannot write is left as it is, whatever it is. */
static const char *const read_only[] = {
	"-cdrom a.iso",
	"-cdrom /dev/cdrom",
	"-drive file=a,readonly=on",
	"-drive file=a,readonly",
	"-drive file=nbd:h:1,read-only=on",
	"-drive file=a,media=cdrom,snapshot=on",
	"-drive if=pflash,format=raw,unit=0,readonly=on,file=code.fd",
	"-drive file=https://h/a.iso",
	"-drive file.driver=https,file.url=https://h/a.iso",
	"-drive file=fat:/srv",
	"-drive file=/dev/fdset/1,read-only=on",
	"-blockdev qcow2,node-name=d,read-only=on,backing=b,file.driver=file,file.filename=a",
	"-blockdev {\"driver\":\"raw\",\"read-only\":true,\"file\":{\"driver\":\"nbd\"}}",
	"-blockdev file,node-name=d,filename=a,read-only=on",
	"-blockdev https,node-name=d,url=https://h/a.iso",
	"-blockdev vvfat,node-name=d,dir=/srv",
};

START_TEST(left_alone_because_read_only)
{
	g_autoptr(ExmQemuLine) line = read_line(read_only[_i]);
	g_autoptr(GPtrArray) disks = exm_disks_read(line);
	const ExmDisk *disk = only_disk(disks);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();

	ck_assert(disk->read_only);
	ck_assert_pstr_eq(disk->obstacle, NULL);
	ck_assert(!exm_disk_rewrite(line, disk, "/o", "qcow2", argv));
	ck_assert_uint_eq(argv->len, 0);
}
END_TEST

static const char *const no_disks[] = {
	"-m 1G -snapshot",
	"-hda ",
	"-drive if=none,id=x",
	"-drive file=,if=ide,media=cdrom",
	"-drive driver=null-co,size=1G,if=none,id=x",
	"-drive file.driver=null-aio,if=none,id=x",
	"-blockdev null-co,node-name=n",
	"-blockdev throttle,node-name=t,throttle-group=g,file=d",
	"-blockdev {\"driver\":",
	"-device virtio-blk-pci,drive=d -kernel k -initrd i",
};

START_TEST(no_disk)
{
	g_autoptr(ExmQemuLine) line = read_line(no_disks[_i]);
	g_autoptr(GPtrArray) disks = exm_disks_read(line);

	ck_assert_uint_eq(disks->len, 0);
}
END_TEST

/* A format and its file as two nodes: before or behind each other, as a list or as JSON. */
static const struct {
	const char *line;
	guint word;
	guint file_word;
	const char *rewritten;
} pairs[] = {
	{ "-blockdev file,node-name=f,filename=a,aio=native -blockdev raw,node-name=d,file=f", 1, 0,
	  "-blockdev driver=qcow2,node-name=d,file.driver=file,file.filename=/o,"
	  "file.node-name=f,file.aio=native" },
	{ "-blockdev {\"driver\":\"qcow2\",\"node-name\":\"d\",\"file\":\"f\",\"read-only\":false} -S "
	  "-blockdev {\"driver\":\"file\",\"node-name\":\"f\",\"filename\":\"a\",\"discard\":\"unmap\"}",
	  0, 2,
	  "-blockdev driver=qcow2,node-name=d,read-only=off,file.driver=file,file.filename=/o,"
	  "file.node-name=f,file.discard=unmap" },
};

START_TEST(file_in_a_node_of_its_own)
{
	g_autoptr(ExmQemuLine) line = read_line(pairs[_i].line);
	g_autoptr(GPtrArray) disks = exm_disks_read(line);
	const ExmDisk *disk = only_disk(disks);
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

	ck_assert_str_eq(disk->path, "a");
	ck_assert_uint_eq(disk->word, pairs[_i].word);
	ck_assert_uint_eq(disk->file_word, pairs[_i].file_word);
	ck_assert(exm_disk_rewrite(line, disk, "/o", "qcow2", argv));
	g_ptr_array_add(argv, NULL);
	assert_text_and_free(g_strjoinv(" ", (char **)argv->pdata), pairs[_i].rewritten);
}
END_TEST

/* The paths of several disks, in the order of the line; those with an obstacle have a '!'. */
static const struct {
	const char *line;
	const char *paths;
} lines[] = {
	{ "-blockdev file,node-name=f,filename=a -hda b -blockdev raw,node-name=d,file=f -cdrom c",
	  "b a c" },
	{ "-drive file=a,if=none,id=x -m 1G b -pflash c", "a b c" },
	{ "-snapshot -drive file=a,snapshot=off -hda b", "a b!" },
	/* A filter stands before the image that it is given. */
	{ "-blockdev file,node-name=f,filename=a -blockdev throttle,node-name=t,file=f", "a" },
	/* Two formats show parts of one file. */
	{ "-blockdev file,node-name=f,filename=a -blockdev raw,node-name=x,file=f,size=512 "
	  "-blockdev raw,node-name=y,file=f,offset=512",
	  "! !" },
};

START_TEST(several_in_one_line)
{
	g_autoptr(ExmQemuLine) line = read_line(lines[_i].line);
	g_autoptr(GPtrArray) disks = exm_disks_read(line);
	g_autoptr(GString) paths = g_string_new(NULL);

	for (guint i = 0; i < disks->len; i++) {
		const ExmDisk *disk = disks->pdata[i];

		g_string_append_printf(paths, "%s%s%s", i ? " " : "", disk->path,
		                       disk->obstacle ? "!" : "");
	}
	ck_assert_str_eq(paths->str, lines[_i].paths);
}
END_TEST

Suite *disk_suite(void)
{
	Suite *suite = suite_create("disk");
	TCase *tcase = tcase_create("disk");

	tcase_add_loop_test(tcase, overlay_in_place_of_an_image, 0, G_N_ELEMENTS(images));
	tcase_add_loop_test(tcase, obstacle_to_an_overlay, 0, G_N_ELEMENTS(obstacles));
	tcase_add_loop_test(tcase, left_alone_because_read_only, 0, G_N_ELEMENTS(read_only));
	tcase_add_loop_test(tcase, no_disk, 0, G_N_ELEMENTS(no_disks));
	tcase_add_loop_test(tcase, file_in_a_node_of_its_own, 0, G_N_ELEMENTS(pairs));
	tcase_add_loop_test(tcase, several_in_one_line, 0, G_N_ELEMENTS(lines));
	suite_add_tcase(suite, tcase);
	return suite;
}
