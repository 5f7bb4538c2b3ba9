import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 join pairs of 128-bit vector instructions into 256-bit ones (x64 with AVX2; elsewhere it changes nothing),
 * in modules that are compiled from now on. The results are the same bits. `LOCI_WIDE_SIMD=0` leaves it off.
 */
export function allowWideVectors(): void {
  if (process.env['LOCI_WIDE_SIMD'] !== '0') setFlagsFromString('--experimental-wasm-revectorize');
}
