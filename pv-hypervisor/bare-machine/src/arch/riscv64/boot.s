# SBI entry: S-mode, no translation, a0 = hart, a1 = machine address of the device tree. Builds a
# root of 1 GiB pages that maps the image where it is loaded, where it is linked, and the first
# 254 GiB in the direct map; calls Rust. The root lasts until the image's own is built.

.set OFFSET, 0xffffffff00000000
.set LEAF, 0xcf                 # dirty, accessed, execute, write, read, valid
.set GIB, 0x10000000            # 1 GiB in the frame field

.section .bss.boot, "aw", @nobits
.balign 4096
boot_root: .skip 4096

.section .text.boot, "ax"
.global sbi_start
sbi_start:
    csrw sie, zero
    csrci sstatus, 2
    lla t0, boot_root
    li t1, 2048
    add t1, t0, t1              # slot 256
    li t2, LEAF
    li t3, GIB
    li t4, 254
1:  sd t2, 0(t1)
    add t2, t2, t3
    addi t1, t1, 8
    addi t4, t4, -1
    bnez t4, 1b
    li t2, 2 * GIB + LEAF       # machine address 0x80000000
    sd t2, 0(t1)                # slot 510: the image
    sd t2, 16(t0)               # slot 2: the same, for the jump

    srli t0, t0, 12
    li t1, 8 << 60              # Sv39
    or t0, t0, t1
    sfence.vma
    csrw satp, t0
    sfence.vma
    li t1, OFFSET
    lla t0, high
    add t0, t0, t1
    jr t0
high:
    lla sp, stack_top
    csrw sscratch, zero
    mv s0, zero
    call boot_main
    unimp
