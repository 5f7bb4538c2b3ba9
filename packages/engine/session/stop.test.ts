import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { StopWatch } from './stop.ts';

const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 });

describe('a stop watch', () => {
  property.prop([
    fc.array(letters),
    fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 }), { maxLength: 3 }),
  ])('shows the text up to the first stop string, however the text is cut', (pieces, stops) => {
    const whole = pieces.join('');
    const ends = stops.filter((stop) => stop !== '').map((stop) => whole.indexOf(stop));
    const found = ends.filter((at) => at >= 0);
    const watch = new StopWatch(stops);
    let shown = '';
    let stopped = false;
    for (const piece of pieces) {
      const step = watch.push(piece);
      shown += step.text;
      stopped = step.stopped;
      if (stopped) break;
    }
    if (!stopped) shown += watch.flush();
    expect(stopped).toBe(found.length > 0);
    // Where two stops compete, the one whose end comes first is seen first.
    if (stopped) expect(stops.some((stop) => stop !== '' && whole.startsWith(shown + stop))).toBe(true);
    else expect(shown).toBe(whole);
  });

  test('holds back only what may still become a stop string', () => {
    const watch = new StopWatch(['\n\nUser:']);
    expect(watch.push('Hello\n').text).toBe('Hello');
    expect(watch.push('world').text).toBe('\nworld');
    expect(watch.push('\n\nUse').text).toBe('');
    expect(watch.push('r: hi')).toEqual({ text: '', stopped: true });
  });
});
