/* Rust and Go take their random numbers from ProcessPrng, of a library that the wine of
   Debian 12 lacks. What that wine has does the same. */
#include <stddef.h>

__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *, unsigned long);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, size_t left) {
  while (left > 0) {
    unsigned long piece = left > 0x10000000 ? 0x10000000 : (unsigned long)left;
    if (!SystemFunction036(bytes, piece)) return 0;
    bytes += piece;
    left -= piece;
  }
  return 1;
}
