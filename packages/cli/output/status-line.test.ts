import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StatusLine } from './status-line.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function screen(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 20, written, write: (text: string) => written.push(text) };
}

test('in a terminal a line never wraps and is taken back', () => {
  const stream = screen(true);
  const line = new StatusLine(stream);
  line.begin(0);
  line.show('a line that is longer than the terminal');
  line.clear();
  line.clear();
  expect(stream.written).toEqual(['\r\x1b[Ka line that is long', '\r\x1b[K']);
});

test('work that ends before the delay leaves no trace', () => {
  const stream = screen(true);
  const line = new StatusLine(stream);
  line.begin(1000);
  vi.advanceTimersByTime(999);
  line.show('loading');
  line.clear();
  expect(stream.written).toEqual([]);
});

test('outside a terminal there is a plain line every five seconds at most', () => {
  const stream = screen(false);
  const line = new StatusLine(stream);
  line.begin(0);
  for (let second = 0; second <= 12; second++) {
    line.show(`${second} s`);
    vi.advanceTimersByTime(1000);
  }
  line.clear();
  expect(stream.written).toEqual(['5 s\n', '10 s\n']);
});
