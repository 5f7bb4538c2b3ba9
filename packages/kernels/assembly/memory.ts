/** Reads every line of so many bytes in order, so that memory is at work on them before they are asked for one by one. */
export function touch(at: usize, bytes: usize, spare: usize): void {
  let any: i64 = 0;
  for (const end = at + bytes; at < end; at += 64) any += load<i64>(at);
  store<i64>(spare, any);
}

/** The same of four places, `ahead` bytes apart, side by side. */
export function touchFour(at: usize, ahead: usize, bytes: usize, spare: usize): void {
  let any = i32x4.splat(0);
  for (const end = at + bytes; at < end; at += 64) {
    const near = v128.or(v128.load(at), v128.load(at + ahead));
    any = v128.or(any, v128.or(near, v128.or(v128.load(at + 2 * ahead), v128.load(at + 3 * ahead))));
  }
  v128.store(spare, any);
}
