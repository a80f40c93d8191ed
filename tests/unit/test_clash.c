/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_clash.c - lib/plan/clash.c and clash_cure.c */

#include "plan/clash.h"

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

static GPtrArray *find(const char *text)
{
	g_autoptr(ExmQemuLine) line = read_line(text);

	return exm_clashes_find(line);
}

static void assert_none(const char *text)
{
	g_autoptr(GPtrArray) clashes = find(text);

	ck_assert_msg(clashes->len == 0, "%s",
	              clashes->len ? ((ExmClash *)clashes->pdata[0])->message : "");
}

static void assert_one(const char *text, ExmClashKind kind, const char *message)
{
	g_autoptr(GPtrArray) clashes = find(text);
	const ExmClash *clash;

	ck_assert_msg(clashes->len == 1, "%u clashes in: %s", clashes->len, text);
	clash = clashes->pdata[0];
	ck_assert_int_eq(clash->kind, kind);
	ck_assert_str_eq(clash->argument, text);
	ck_assert_str_eq(clash->message, message);
}

/* One thing that can be had once, the part of the argument that names it, and what cures it. */
static const struct {
	const char *line;
	const char *thing;
	const char *part;
	const char *cure;
} exclusives[] = {
	{ "-netdev user,id=n0,hostfwd=tcp::2222-:22", "host port 2222", "hostfwd=tcp::2222-:22",
	  "hostfwd=tcp::@{index+2222}-:22" },
	{ "-nic user,hostfwd=udp:127.0.0.1:53-10.0.2.@{index}:53", "host port 53",
	  "hostfwd=udp:127.0.0.1:53-10.0.2.@{index}:53",
	  "hostfwd=udp:127.0.0.1:@{index+53}-10.0.2.@{index}:53" },
	{ "-net user,hostfwd=:127.0.0.1:80-:80", "host port 80", "hostfwd=:127.0.0.1:80-:80",
	  "hostfwd=:127.0.0.1:@{index+80}-:80" },
	{ "-nic hostfwd=tcp::ssh-:22", "host port 'ssh'", "hostfwd=tcp::ssh-:22",
	  "hostfwd=tcp::@{index+PORT}-:22" },
	{ "-netdev user,id=n,hostfwd=unix:/run/f.sock-:22", "'/run/f.sock'",
	  "hostfwd=unix:/run/f.sock-:22", "hostfwd=unix:/run/f@{index}.sock-:22" },
	{ "-netdev {\"type\":\"user\",\"id\":\"n\",\"hostfwd\":[{\"str\":\"tcp::2222-:22\"}]}",
	  "host port 2222", "\"str\":\"tcp::2222-:22\"", "\"str\":\"tcp::@{index+2222}-:22\"" },
	{ "-netdev passt,id=p,tcp-ports=2222:22", "host port 2222", "tcp-ports=2222:22",
	  "tcp-ports=@{index+2222}:22" },
	{ "-netdev passt,id=p,udp-ports=53", "host port 53", "udp-ports=53",
	  "udp-ports=@{index+53}:53" },
	{ "-vnc :0", "VNC display 0", ":0", ":@{index}" },
	{ "-vnc [::1]:5,share=ignore", "VNC display 5", "[::1]:5", "[::1]:@{index+5}" },
	{ "-vnc unix:/run/vnc", "'/run/vnc'", "unix:/run/vnc", "unix:/run/vnc-@{name}" },
	{ "-vnc none,websocket=5701", "host port 5701", "websocket=5701", "websocket=@{index+5701}" },
	{ "-vnc none,websocket=localhost:5701", "host port 5701", "websocket=localhost:5701",
	  "websocket=localhost:@{index+5701}" },
	{ "-vnc none,websocket=unix:/run/w.sock", "'/run/w.sock'", "websocket=unix:/run/w.sock",
	  "websocket=unix:/run/w-@{name}.sock" },
	{ "-display vnc=:1,websocket=on", "VNC display 1", ":1", ":@{index+1}" },
	{ "-gdb tcp::3117", "host port 3117", "tcp::3117", "tcp::@{index+3117}" },
	{ "-gdb unix:/run/gdb,server=on", "'/run/gdb'", "unix:/run/gdb", "unix:/run/gdb-@{name}" },
	{ "-serial tcp::4444,server,nowait", "host port 4444", "tcp::4444", "tcp::@{index+4444}" },
	{ "-serial mon:telnet:localhost:4444,server=on,wait=off", "host port 4444",
	  "mon:telnet:localhost:4444", "mon:telnet:localhost:@{index+4444}" },
	{ "-monitor websocket::80,server=on", "host port 80", "websocket::80",
	  "websocket::@{index+80}" },
	{ "-serial udp::4555@:4556", "host port 4556", "udp::4555@:4556", "udp::4555@:@{index+4556}" },
	{ "-serial udp::@{index+4555}@127.0.0.1:4556", "host port 4556",
	  "udp::@{index+4555}@127.0.0.1:4556", "udp::@{index+4555}@127.0.0.1:@{index+4556}" },
	{ "-qmp unix:/tmp/qmp.sock,server=on,wait=off", "'/tmp/qmp.sock'", "unix:/tmp/qmp.sock",
	  "unix:/tmp/qmp-@{name}.sock" },
	{ "-qmp-pretty unix:qmp,server=on", "'qmp'", "unix:qmp", "unix:qmp-@{name}" },
	{ "-serial file:/var/log/a,b.log", "'/var/log/a,b.log'", "file:/var/log/a,b.log",
	  "file:/var/log/a,b-@{name}.log" },
	{ "-debugcon file:.debug", "'.debug'", "file:.debug", "file:.debug-@{name}" },
	{ "-parallel pipe:/tmp/p", "'/tmp/p'", "pipe:/tmp/p", "pipe:/tmp/p-@{name}" },
	{ "-serial pty:/tmp/pty", "'/tmp/pty'", "pty:/tmp/pty", "pty:/tmp/pty-@{name}" },
	{ "-serial /dev/ttyS0", "'/dev/ttyS0'", "/dev/ttyS0", "/dev/ttyS@{index}" },
	{ "-parallel /dev/parport1", "'/dev/parport1'", "/dev/parport1", "/dev/parport@{index+1}" },
	{ "-chardev socket,id=c,host=localhost,port=5000,server=yes", "host port 5000", "port=5000",
	  "port=@{index+5000}" },
	{ "-chardev socket,id=c,path=/tmp/a,,b,server=on", "'/tmp/a,b'", "path=/tmp/a,,b",
	  "path=/tmp/a,,b-@{name}" },
	{ "-chardev {\"backend\":\"socket\",\"id\":\"c\",\"server\":true,\"path\":\"/tmp/c\"}",
	  "'/tmp/c'", "\"path\":\"/tmp/c\"", "\"path\":\"/tmp/c-@{name}\"" },
	{ "-chardev udp,id=c,port=1,localport=2", "host port 2", "localport=2",
	  "localport=@{index+2}" },
	{ "-chardev file,id=c,path=out.log", "'out.log'", "path=out.log", "path=out-@{name}.log" },
	{ "-chardev pipe,id=c,path=/tmp/p", "'/tmp/p'", "path=/tmp/p", "path=/tmp/p-@{name}" },
	{ "-chardev serial,id=c,path=/dev/ttyS3", "'/dev/ttyS3'", "path=/dev/ttyS3",
	  "path=/dev/ttyS@{index+3}" },
	{ "-chardev null,id=c,logfile=/tmp/l.txt", "'/tmp/l.txt'", "logfile=/tmp/l.txt",
	  "logfile=/tmp/l-@{name}.txt" },
	{ "-spice port=5930,disable-ticketing=on", "host port 5930", "port=5930",
	  "port=@{index+5930}" },
	{ "-spice tls-port=5931", "host port 5931", "tls-port=5931", "tls-port=@{index+5931}" },
	{ "-spice unix=on,addr=/run/spice.sock", "'/run/spice.sock'", "addr=/run/spice.sock",
	  "addr=/run/spice-@{name}.sock" },
	{ "-pidfile /run/q.pid", "'/run/q.pid'", "-pidfile /run/q.pid",
	  "-pidfile /run/q-@{name}.pid" },
	{ "-D /tmp/q.log", "'/tmp/q.log'", "-D /tmp/q.log", "-D /tmp/q-@{name}.log" },
	{ "-trace enable=*,file=t.bin", "'t.bin'", "file=t.bin", "file=t-@{name}.bin" },
	{ "-icount shift=1,rr=record,rrfile=r.bin", "'r.bin'", "rrfile=r.bin",
	  "rrfile=r-@{name}.bin" },
	{ "-audiodev wav,id=a,path=a.wav", "'a.wav'", "path=a.wav", "path=a-@{name}.wav" },
	{ "-object filter-dump,id=f,netdev=n,file=n.pcap", "'n.pcap'", "file=n.pcap",
	  "file=n-@{name}.pcap" },
	{ "-object input-linux,id=i,evdev=/dev/input/event2", "'/dev/input/event2'",
	  "evdev=/dev/input/event2", "evdev=/dev/input/event@{index+2}" },
	{ "-device vhost-vsock-pci,guest-cid=3", "number 3", "guest-cid=3", "guest-cid=@{index+3}" },
	{ "-device {\"driver\":\"vhost-vsock-pci\",\"guest-cid\":3,\"id\":\"v@{name}\"}",
	  "number 3", "\"guest-cid\":3", "\"guest-cid\":@{index+3}" },
	{ "-device vfio-pci,host=0000:03:00.1", "'0000:03:00.1'", "host=0000:03:00.1",
	  "host=0000:03:00.@{index+1}" },
	{ "-device vfio-ccw,sysfsdev=/sys/m0", "'/sys/m0'", "sysfsdev=/sys/m0",
	  "sysfsdev=/sys/m@{index}" },
	{ "-device usb-host,hostbus=1,hostport=1.2", "'1.2'", "hostport=1.2",
	  "hostport=1.@{index+2}" },
	{ "-device usb-host,hostbus=1,hostaddr=4", "'4'", "hostaddr=4", "hostaddr=@{index+4}" },
	{ "-device usb-host,hostdevice=/dev/bus/usb/001/004", "'/dev/bus/usb/001/004'",
	  "hostdevice=/dev/bus/usb/001/004", "hostdevice=/dev/bus/usb/001/00@{index+4}" },
	{ "-device usb-host,hostdevice=/dev/bus/usb/001/000", "'/dev/bus/usb/001/000'",
	  "hostdevice=/dev/bus/usb/001/000", "hostdevice=/dev/bus/usb/001/00@{index}" },
	{ "-device vhost-scsi-pci,wwpn=naa.5001405b", "'naa.5001405b'", "wwpn=naa.5001405b",
	  "wwpn=naa.5001405b@{index}" },
	{ "-device vhost-vdpa-device-pci,vhostdev=/dev/vhost-vdpa-0", "'/dev/vhost-vdpa-0'",
	  "vhostdev=/dev/vhost-vdpa-0", "vhostdev=/dev/vhost-vdpa-@{index}" },
	{ "-tpmdev passthrough,id=t,path=/dev/tpm0", "'/dev/tpm0'", "path=/dev/tpm0",
	  "path=/dev/tpm@{index}" },
};

START_TEST(what_can_be_had_once)
{
	g_autofree char *message = g_strdup_printf("'%s': %s can be had once: write '%s'",
	                                           exclusives[_i].line, exclusives[_i].thing,
	                                           exclusives[_i].cure);

	assert_one(exclusives[_i].line, EXM_CLASH_EXCLUSIVE, message);
}
END_TEST

START_TEST(what_to_write_is_no_clash)
{
	g_autoptr(GString) line = g_string_new(exclusives[_i].line);

	ck_assert_uint_eq(g_string_replace(line, exclusives[_i].part, exclusives[_i].cure, 0), 1);
	assert_none(line->str);
}
END_TEST

#define TERMINAL "one guest can have the terminal: "
#define SHARES   "another process would share the memory that a child has to itself: "
#define MAC      "a child has its parent's Ethernet address: use 'user', or clone with '--same-mac'"
#define EMULATED SHARES "use a device that QEMU emulates itself"
#define INHERITS(what) \
	"a child does not inherit '" what "': write the path or address that it stands for"
#define IN_STREAM \
	"QEMU may leave shared memory out of the stream: use 'memory-backend-ram,share=off'"
#define ONE_FILE "all children would write one file: write 'share=off' or 'readonly=on'"

/* What clashes as a whole. */
static const struct {
	const char *line;
	ExmClashKind kind;
	const char *text;
} wholes[] = {
	{ "-nographic", EXM_CLASH_TERMINAL, TERMINAL "add '--detach'" },
	{ "-serial stdio", EXM_CLASH_TERMINAL, TERMINAL "add '--detach'" },
	{ "-serial mon:stdio", EXM_CLASH_TERMINAL, TERMINAL "add '--detach'" },
	{ "-monitor stdio", EXM_CLASH_TERMINAL, TERMINAL "add '--detach'" },
	{ "--qmp stdio", EXM_CLASH_TERMINAL, TERMINAL "add '--detach'" },
	{ "-chardev stdio,id=c,mux=on", EXM_CLASH_TERMINAL, TERMINAL "add '--detach'" },
	{ "-gdb stdio", EXM_CLASH_TERMINAL, TERMINAL "write '-gdb tcp::@{index+1234}'" },
	{ "-curses", EXM_CLASH_TERMINAL, TERMINAL "write '-display vnc=:@{index}'" },
	{ "-display curses,charset=CP437", EXM_CLASH_TERMINAL,
	  TERMINAL "write '-display vnc=:@{index}'" },
	{ "-s", EXM_CLASH_EXCLUSIVE,
	  "host port 1234 can be had once: write '-gdb tcp::@{index+1234}'" },
	{ "-readconfig vm.conf", EXM_CLASH_EXCLUSIVE,
	  "what it asks for is not seen here: write its options on the command line" },
	{ "-device usb-host,vendorid=0x1234", EXM_CLASH_EXCLUSIVE,
	  "a USB device of the host can be had once: add 'hostport=@{index+1}'" },
	{ "-tpmdev passthrough,id=t", EXM_CLASH_EXCLUSIVE,
	  "the host's TPM can be had once: add 'path=/dev/tpm@{index}'" },
	{ "-audiodev wav,id=a", EXM_CLASH_EXCLUSIVE,
	  "'qemu.wav' can be had once: add 'path=qemu-@{name}.wav'" },
	{ "-add-fd fd=3,set=1", EXM_CLASH_DESCRIPTOR, INHERITS("fd=3") },
	{ "-chardev socket,id=c,fd=4,server=on", EXM_CLASH_DESCRIPTOR, INHERITS("fd=4") },
	{ "-device {\"driver\":\"vfio-pci\",\"fd\":\"5\"}", EXM_CLASH_DESCRIPTOR,
	  INHERITS("\"fd\":\"5\"") },
	{ "-fsdev proxy,id=f,sock_fd=6", EXM_CLASH_DESCRIPTOR, INHERITS("sock_fd=6") },
	{ "-drive file=/dev/fdset/2,if=virtio", EXM_CLASH_DESCRIPTOR, INHERITS("/dev/fdset/2") },
	{ "-kernel /proc/self/fd/12", EXM_CLASH_DESCRIPTOR, INHERITS("/proc/self/fd/12") },
	{ "/dev/fd/3", EXM_CLASH_DESCRIPTOR, INHERITS("/dev/fd/3") },
	{ "-netdev tap,id=n", EXM_CLASH_MAC, MAC },
	{ "-netdev tap,id=n,ifname=tap%d", EXM_CLASH_MAC, MAC },
	{ "-netdev {\"type\":\"bridge\",\"id\":\"n\"}", EXM_CLASH_MAC, MAC },
	{ "-nic bridge,br=br0,mac=52:54:00:00:00:@{index+10}", EXM_CLASH_MAC, MAC },
	{ "-net vde,sock=/run/vde", EXM_CLASH_MAC, MAC },
	{ "-netdev socket,id=n,mcast=230.0.0.1:1234,localaddr=10.0.0.1", EXM_CLASH_MAC, MAC },
	{ "-netdev socket,id=n,connect=:1234", EXM_CLASH_MAC, MAC },
	{ "-netdev stream,id=n,addr.type=unix,addr.path=/tmp/passt", EXM_CLASH_MAC, MAC },
	{ "-netdev af-xdp,id=n,ifname=eth0,start-queue=@{index}", EXM_CLASH_MAC, MAC },
	{ "-netdev vhost-user,id=n,chardev=c", EXM_CLASH_MEMORY, SHARES "use 'tap' with 'vhost=on'" },
	{ "-device vhost-user-fs-pci,chardev=c,tag=t", EXM_CLASH_MEMORY, SHARES "use '-virtfs'" },
	{ "-device vhost-user-blk-pci,chardev=c", EXM_CLASH_MEMORY, EMULATED },
	{ "-device vhost-user-vsock-pci,chardev=c", EXM_CLASH_MEMORY, EMULATED },
	{ "-device {\"driver\":\"vfio-user-pci\"}", EXM_CLASH_MEMORY, EMULATED },
	{ "-device x-pci-proxy-dev,id=p", EXM_CLASH_MEMORY, EMULATED },
	{ "-object x-remote-object,id=r,devid=d", EXM_CLASH_MEMORY, SHARES "leave it out" },
	{ "-object x-vfio-user-server,id=r", EXM_CLASH_MEMORY, SHARES "leave it out" },
	{ "-object vhost-user-backend,id=b,chardev=c", EXM_CLASH_MEMORY, SHARES "leave it out" },
	{ "-object cryptodev-vhost-user,id=c,chardev=c", EXM_CLASH_MEMORY,
	  SHARES "use 'cryptodev-backend-builtin'" },
	{ "-device ivshmem-plain,memdev=m", EXM_CLASH_MEMORY,
	  "memory that guests share cannot be cloned: leave it out" },
	{ "-object memory-backend-file,id=m,mem-path=/m,size=1G,share=on", EXM_CLASH_MEMORY,
	  ONE_FILE },
	{ "-object {\"qom-type\":\"memory-backend-file\",\"id\":\"m\",\"share\":true}",
	  EXM_CLASH_MEMORY, ONE_FILE },
	{ "-object memory-backend-file,id=m,mem-path=/m-@{name},share=on", EXM_CLASH_MEMORY,
	  ONE_FILE },
	{ "-object memory-backend-memfd,id=m,size=1G", EXM_CLASH_STATE, IN_STREAM },
	{ "-object memory-backend-shm,id=m,size=1G", EXM_CLASH_STATE, IN_STREAM },
	{ "-object memory-backend-ram,id=m,size=1G,share=on", EXM_CLASH_STATE, IN_STREAM },
	{ "-device virtio-pmem-pci,memdev=m", EXM_CLASH_STATE,
	  "what it holds is not in the stream: use 'nvdimm' on a backend with 'share=off'" },
	{ "-device virtio-balloon-pci,deflate-on-oom=on", EXM_CLASH_BALLOON,
	  "what it takes from a child is not the child's own but the template's: leave it out" },
	{ "-device virtio-balloon,free-page-reporting=on", EXM_CLASH_BALLOON,
	  "what a child frees is not its own but the template's: write 'free-page-reporting=off'" },
};

START_TEST(what_clashes_as_a_whole)
{
	g_autofree char *message = g_strdup_printf("'%s': %s", wholes[_i].line, wholes[_i].text);

	assert_one(wholes[_i].line, wholes[_i].kind, message);
}
END_TEST

/* What any number of guests can have. */
static const char *const harmless[] = {
	"disk.img",
	"-m 1G -append root=/dev/fd/9",
	"-netdev user,id=n",
	"-netdev user,id=n,hostfwd=tcp::0-:22",
	"-netdev user,id=n,hostfwd=tcp:127.0.0.@{index}:22-:22",
	"-netdev user,id=n,hostfwd=nonsense",
	"-netdev hubport,id=h,hubid=0",
	"-netdev passt,id=p,tcp-ports=none",
	"-nic none",
	"-nic model=e1000",
	"-net nic,model=e1000,macaddr=52:54:00:12:34:56",
	"-netdev {\"type\":\"user\"",
	"-vnc none",
	"-vnc :0,to=99",
	"-vnc localhost:5500,reverse=on",
	"-vnc 127.0.0.@{index+1}:0",
	"-vnc none,websocket=off",
	"-display none",
	"-display gtk",
	"-gdb none",
	"-gdb unix:/tmp/gdb",
	"-serial none -serial null -serial vc:80Cx24C -serial chardev:c -serial mon:vc",
	"-serial tcp:host:4444",
	"-serial tcp:4444",
	"-serial tcp:127.0.0.@{index+1}:4444,server=on",
	"-serial udp::4555",
	"-serial file:/dev/null -serial file:/dev/stdout -serial file:/proc/self/fd/1",
	"-monitor unix:/tmp/m,server=off",
	"-monitor unix:/tmp/m,noserver",
	"-chardev socket,id=c,path=/tmp/c",
	"-chardev socket,id=c,port=5000,to=5100,server=on",
	"-chardev socket,id=c,port=0,server=on",
	"-chardev socket,id=c,host=127.0.0.@{index+1},port=5000,server=on",
	"-chardev pty,id=c",
	"-mon chardev=c,mode=control",
	"-spice port=@{index+5930},addr=10.0.0.1",
	"-pidfile @{dir}/q.pid",
	"-D /tmp/q-%d.log",
	"-trace enable=virtio*",
	"-icount shift=1,rr=replay,rrfile=r.bin",
	"-readconfig @{dir}/vm.conf",
	"-device usb-host,hostbus=@{index+1},hostport=1 -device usb-tablet",
	"-device vfio-pci,host=0000:03:00.@{index}",
	"-fsdev local,id=f,path=/srv,security_model=none -virtfs local,path=/srv,mount_tag=t",
	"-object secret,id=s,file=/etc/secret -object iothread,id=i",
	"-object rng-random,id=r,filename=/dev/urandom",
	"-object memory-backend-file,id=m,mem-path=/m,size=1G",
	"-object memory-backend-file,id=m,mem-path=/m,size=1G,share=on,readonly=on",
	"-object memory-backend-memfd,id=m,size=1G,share=off",
	"-device nvdimm,memdev=m -device virtio-mem-pci,memdev=m",
	"-incoming fd:5 -mem-path /proc/self/fd/6",
	"-nographic -nodefaults",
	"-nographic -serial none -monitor none",
};

START_TEST(what_all_can_have)
{
	assert_none(harmless[_i]);
}
END_TEST

/* Several things in one line: each by itself, and in the order in which they stand. */
static const struct {
	const char *line;
	const char *things[3];
} lines[] = {
	{ "-s -vnc :1,websocket=5701", { "port 1234", "display 1", "port 5701" } },
	{ "-netdev user,id=n,hostfwd=tcp::1-:1,hostfwd=tcp::@{index+2}-:2,hostfwd=tcp::3-:3",
	  { "port 1 ", "port 3 " } },
	{ "-netdev tap,id=n,ifname=tap0", { "Ethernet", "write 'ifname=tap@{index}'" } },
	{ "-netdev tap,id=n,fds=5:6,vhostfds=7:8", { "'fds=5:6'", "'vhostfds=7:8'", "Ethernet" } },
	{ "-netdev socket,id=n,listen=:1234",
	  { "Ethernet", "host port 1234 can be had once: write 'listen=:@{index+1234}'" } },
	{ "-netdev socket,id=n,udp=:1,localaddr=:1235",
	  { "Ethernet", "write 'localaddr=:@{index+1235}'" } },
	{ "-netdev stream,id=n,server=on,addr.type=inet,addr.host=h,addr.port=9",
	  { "Ethernet", "write 'addr.port=@{index+9}'" } },
	{ "-netdev stream,id=n,server=on,addr.type=unix,addr.path=/s",
	  { "Ethernet", "write 'addr.path=/s-@{name}'" } },
	{ "-netdev stream,id=n,server=on,addr.type=inet,addr.port=9,addr.to=19", { "Ethernet" } },
	{ "-netdev stream,id=n,addr.type=fd,addr.str=7", { "'addr.str=7'", "Ethernet" } },
	{ "-netdev dgram,id=n,local.type=inet,local.port=9",
	  { "Ethernet", "write 'local.port=@{index+9}'" } },
	{ "-netdev {\"type\":\"dgram\",\"id\":\"n\",\"local\":{\"type\":\"unix\",\"path\":\"/s\"}}",
	  { "Ethernet", "write '\"path\":\"/s-@{name}\"'" } },
	{ "-netdev l2tpv3,id=n,src=a,dst=b,udp=on,srcport=16384,txsession=0xff",
	  { "Ethernet", "'srcport=@{index+16384}'", "'txsession=@{index+255}'" } },
	{ "-netdev vhost-vdpa,id=n,vhostdev=/dev/vhost-vdpa-1",
	  { "Ethernet", "'vhostdev=/dev/vhost-vdpa-@{index+1}'" } },
	{ "-netdev af-xdp,id=n,ifname=eth0", { "Ethernet", "'ifname=eth@{index}'" } },
	{ "-netdev netmap,id=n,ifname=vale0:1", { "Ethernet", "'ifname=vale0:@{index+1}'" } },
	/* A software TPM serves one guest, which is its client. */
	{ "-chardev socket,id=t,path=/run/swtpm.sock -tpmdev emulator,id=tpm,chardev=t",
	  { "'-chardev socket,id=t,path=/run/swtpm.sock': '/run/swtpm.sock' can be had once: "
	    "write 'path=/run/swtpm-@{name}.sock'" } },
	{ "-nographic -serial null", { "'-nographic': one guest can have the terminal" } },
	/* Escaped, it is no placeholder. */
	{ "-pidfile /run/@@{name} -vnc :@@@{index}", { "write '-pidfile /run/@@{name}-@{name}'" } },
};

START_TEST(several_in_one_line)
{
	g_autoptr(GPtrArray) clashes = find(lines[_i].line);
	guint count = 0;

	for (; count < G_N_ELEMENTS(lines[_i].things) && lines[_i].things[count]; count++) {
		const ExmClash *clash;

		ck_assert_uint_gt(clashes->len, count);
		clash = clashes->pdata[count];
		ck_assert_msg(strstr(clash->message, lines[_i].things[count]), "no '%s' in: %s",
		              lines[_i].things[count], clash->message);
	}
	ck_assert_uint_eq(clashes->len, count);
}
END_TEST

Suite *clash_suite(void)
{
	Suite *suite = suite_create("clash");
	TCase *tcase = tcase_create("clash");

	tcase_add_loop_test(tcase, what_can_be_had_once, 0, G_N_ELEMENTS(exclusives));
	tcase_add_loop_test(tcase, what_to_write_is_no_clash, 0, G_N_ELEMENTS(exclusives));
	tcase_add_loop_test(tcase, what_clashes_as_a_whole, 0, G_N_ELEMENTS(wholes));
	tcase_add_loop_test(tcase, what_all_can_have, 0, G_N_ELEMENTS(harmless));
	tcase_add_loop_test(tcase, several_in_one_line, 0, G_N_ELEMENTS(lines));
	suite_add_tcase(suite, tcase);
	return suite;
}
