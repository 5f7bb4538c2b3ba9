// Lists of what blocks of queries read: i32 count, then so many of { i32 page, set of its slots }.

/** Puts a page behind those that a list has. */
// @ts-ignore: decorator
@inline export function addPage(list: usize, page: i32, slots: i32): void {
  const count = load<i32>(list);
  const at = list + (<usize>count << 3);
  store<i32>(at, page, 4);
  store<i32>(at, slots, 8);
  store<i32>(list, count + 1);
}

/** The list of a set of slots, which has a word for every one of `pages` pages. */
export function writeList(slots: usize, pages: i32, list: usize): void {
  store<i32>(list, 0);
  for (let page = 0; page < pages; page++) {
    const some = load<i32>(slots + (<usize>page << 2));
    if (some) addPage(list, page, some);
  }
}
