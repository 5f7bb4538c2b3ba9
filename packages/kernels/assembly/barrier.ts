// Words of the control block. Each stands in a cache line of its own: threads spin on them.
// @ts-ignore: decorator
@inline const ARRIVED: usize = 64;
// @ts-ignore: decorator
@inline const PHASE: usize = 128;
// @ts-ignore: decorator
@inline const SLEEPERS: usize = 192;
// @ts-ignore: decorator
@inline const STOP: usize = 256;

// @ts-ignore: decorator
@inline const SPINS: i32 = 20000;

/** Waits until all threads are here. Returns false when the run is to stop. */
export function barrier(control: usize, threads: i32): bool {
  if (threads > 1) {
    const phase = atomic.load<i32>(control + PHASE);
    if (atomic.add<i32>(control + ARRIVED, 1) == threads - 1) {
      atomic.store<i32>(control + ARRIVED, 0);
      atomic.store<i32>(control + PHASE, phase + 1);
      if (atomic.load<i32>(control + SLEEPERS) > 0) atomic.notify(control + PHASE, -1);
    } else {
      let spins = 0;
      while (atomic.load<i32>(control + PHASE) == phase && atomic.load<i32>(control + STOP) == 0) {
        if (++spins < SPINS) continue;
        atomic.add<i32>(control + SLEEPERS, 1);
        // The main thread bumps STOP and wakes PHASE when a worker has died; the time limit covers a lost wake-up.
        atomic.wait<i32>(control + PHASE, phase, 100000000);
        atomic.sub<i32>(control + SLEEPERS, 1);
      }
    }
  }
  return atomic.load<i32>(control + STOP) == 0;
}
