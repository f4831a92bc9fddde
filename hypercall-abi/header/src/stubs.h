/* Calls. */

/* Status and value of a call. */
typedef struct PvResult {
  PvStatus status;
  uint64_t value;
} PvResult;

/* Makes a call. What it does to memory is for the caller to know. */
#if defined(__x86_64__)
static inline PvResult pv_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                               uint64_t a3, uint64_t a4, uint64_t a5) {
  PvResult result;
  register uint64_t r10 __asm__("r10") = a3;
  register uint64_t r8 __asm__("r8") = a4;
  register uint64_t r9 __asm__("r9") = a5;
  __asm__ volatile("syscall"
                   : "=a"(result.status), "=d"(result.value)
                   : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory", "cc");
  return result;
}
#elif defined(__riscv) && __riscv_xlen == 64
static inline PvResult pv_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                               uint64_t a3, uint64_t a4, uint64_t a5) {
  PvResult result;
  register uint64_t r0 __asm__("a0") = a0;
  register uint64_t r1 __asm__("a1") = a1;
  register uint64_t r2 __asm__("a2") = a2;
  register uint64_t r3 __asm__("a3") = a3;
  register uint64_t r4 __asm__("a4") = a4;
  register uint64_t r5 __asm__("a5") = a5;
  register uint64_t r7 __asm__("a7") = number;
  __asm__ volatile("ecall"
                   : "+r"(r0), "+r"(r1)
                   : "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r7)
                   : "memory");
  result.status = r0;
  result.value = r1;
  return result;
}
#else
#error "Paravane runs guests on x86-64 and riscv64"
#endif

