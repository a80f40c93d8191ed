/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.S - from QEMU's 32-bit entry, multiboot or PVH, to main() in 64-bit mode */

#define MAPPED_GIB 64		/* as in tiny.h */
#define LARGE_PAGE 0x200000

/* QEMU takes the multiboot way whenever this header is there; without it, the PVH note. */
	.section .multiboot, "a"
	.balign	4
	.long	0x1badb002, 0x2, -(0x1badb002 + 0x2)	/* flags: give us a memory map */

/* XEN_ELFNOTE_PHYS32_ENTRY. QEMU 7.2 reads 8 bytes of it even in a 32-bit file (x86.c). */
	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18
	.asciz	"Xen"
	.quad	pvh_start

	.text
	.code32
	.globl	multiboot_start
pvh_start:
	xorl	%eax, %eax
multiboot_start:
	cli
	cld
	movl	%eax, %ebp
	/* A memory file that is opened again may hold anything: nothing else clears our bss. */
	movl	$bss_start, %edi
	movl	$bss_end, %ecx
	subl	%edi, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl

	/* Identity-map everything below MAPPED_GIB: one directory a GiB, 2 MiB a page. */
	movl	$(pointers + 3), pml4
	movl	$pointers, %edi
	movl	$(directories + 3), %eax
	movl	$MAPPED_GIB, %ecx
1:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	1b
	movl	$directories, %edi
	movl	$0x83, %eax
	xorl	%edx, %edx
	movl	$(MAPPED_GIB * 512), %ecx
2:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$LARGE_PAGE, %eax
	adcl	$0, %edx
	addl	$8, %edi
	loop	2b

	movl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	$0x80000011, %eax	/* CR0.PG, ET, PE */
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$0x08, $long_mode

	.code64
long_mode:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack_end, %esp
	movl	%ebp, %edi		/* main(magic, info) */
	movl	%ebx, %esi
	call	main

	.section .rodata
	.balign	8
gdt:	.quad	0
	.quad	0x00209a0000000000	/* 0x08: 64-bit code */
	.quad	0x0000920000000000	/* 0x10: data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.bss
	.balign	4096
pml4:	.skip	4096
pointers:
	.skip	4096
directories:
	.skip	MAPPED_GIB * 4096
	.skip	16384
stack_end:

	.section .note.GNU-stack, "", @progbits
