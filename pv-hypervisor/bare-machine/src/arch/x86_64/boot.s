# PVH entry: 32-bit protected mode, no paging, ebx = start information. Builds tables that map
# the first 4 GiB three times (at 0, in the direct map, and the image's 2 GiB) with large
# pages, enters long mode and calls Rust. The tables last until the image's own are built.

.set OFFSET, 0xffffffff80000000

.section .note.Xen, "a", @note
.balign 4
.long 4, 8, 18                  # name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
.asciz "Xen"
.quad pvh_start - OFFSET

.section .bss.boot, "aw", @nobits
.balign 4096
boot_pml4: .skip 4096
boot_pdpt_low: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd: .skip 4 * 4096

.section .rodata.boot, "a"
.balign 8
boot_gdt:
    .quad 0
    .quad 0x00209b0000000000    # 8: ring 0, 64-bit code
boot_gdt_pointer:
    .word 15
    .long boot_gdt - OFFSET

.section .text.boot, "ax"
.code32
.global pvh_start
pvh_start:
    cli
    cld
    movl %ebx, %ebp

    # 2048 large pages: present, writable, large
    movl $(boot_pd - OFFSET), %edi
    movl $0x83, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $(boot_pdpt_low - OFFSET), %edi
    movl $(boot_pd - OFFSET + 3), %eax
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    decl %ecx
    jnz 2b
    movl $(boot_pd - OFFSET + 3), boot_pdpt_high - OFFSET + 510 * 8
    movl $(boot_pd - OFFSET + 4096 + 3), boot_pdpt_high - OFFSET + 511 * 8

    movl $(boot_pdpt_low - OFFSET + 3), boot_pml4 - OFFSET
    movl $(boot_pdpt_low - OFFSET + 3), boot_pml4 - OFFSET + 256 * 8
    movl $(boot_pdpt_high - OFFSET + 3), boot_pml4 - OFFSET + 511 * 8

    movl $0x20, %eax            # PAE
    movl %eax, %cr4
    movl $(boot_pml4 - OFFSET), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      # EFER: long mode
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl $0x80010031, %eax      # PG, WP, NE, ET, PE
    movl %eax, %cr0
    lgdt boot_gdt_pointer - OFFSET
    ljmpl $8, $(long_mode - OFFSET)

.code64
long_mode:
    movabsq $high, %rax
    jmpq *%rax
high:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movabsq $stack_top, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    call boot_main
    ud2
