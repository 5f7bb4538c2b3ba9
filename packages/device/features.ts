/**
 * `relaxed` takes four products of bytes, one of them of 7 bits, and adds them in one instruction, and `bytes` likewise where
 * the machine is known to take 8 bits; `pairs` computes the same bits from sums of two
 * products, on machines where four take five instructions; `plain` runs wherever there are SIMD and threads.
 */
export const kernelBuilds = ['bytes', 'relaxed', 'pairs', 'plain'] as const;
export type KernelBuild = (typeof kernelBuilds)[number];

/** The build that is fastest on this machine. */
export function bestBuild(): KernelBuild {
  if (!WebAssembly.validate(probe)) return 'plain';
  const run = new WebAssembly.Instance(new WebAssembly.Module(probe)).exports['run'];
  const answer: unknown = typeof run === 'function' ? run() : undefined;
  return answer === exact ? 'bytes' : answer === saturated ? 'pairs' : 'relaxed';
}

/** Whether kernels compute what they should on a machine with such best ones; those that it cannot compile say so themselves. */
export function isRightOn(best: KernelBuild, build: KernelBuild): boolean {
  return build !== 'bytes' || best === 'bytes';
}

/**
 * A module whose function `run` is lane 0 of `i32x4.relaxed_dot_i8x16_i7x16_add_s` with bytes 127 and 255. The second is
 * outside of what the instruction promises anything for: x64 with AVX-VNNI gives 4 · 127 · 255 and ARM 4 · 127 · −1, but
 * x64 without it the sum of two pairs that are cut off at 2¹⁵ − 1 each.
 */
const probe = Uint8Array.of(
  // Header; a type () → i32; one function of it; the export "run".
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 7, 7, 1, 3, 0x72, 0x75, 0x6e, 0, 0],
  // i32.const 127, i8x16.splat, i32.const −1, i8x16.splat, i32.const 0, i32x4.splat, the dot product, i32x4.extract_lane 0.
  ...[
    10, 23, 1, 21, 0, 0x41, 0xff, 0, 0xfd, 15, 0x41, 0x7f, 0xfd, 15, 0x41, 0, 0xfd, 17, 0xfd, 0x93, 2, 0xfd, 27, 0,
    0x0b,
  ],
);

const exact = 4 * 127 * 255;
const saturated = 2 * (2 ** 15 - 1);
