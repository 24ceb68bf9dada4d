import { describe, expect, test } from 'vitest';
import { bytes, count, percent, plural } from './number';
import { clock, exact, parseTime, relative, span } from './time';

describe('times', () => {
  test.each([
    [0, 'now'],
    [999, 'now'],
    [2000, '2 s ago'],
    [59_999, '59 s ago'],
    [60_000, '1 min ago'],
    [3_600_000, '1 h ago'],
    [35 * 3_600_000, '35 h ago'],
    [36 * 3_600_000, '1 d ago'],
    [-3000, 'now'],
    [-90_000, 'in 1 min'],
  ])('relative %d ms', (past, text) => expect(relative(1e12, 1e12 + past)).toBe(text));

  test('zero and broken times are no time', () => {
    expect(parseTime('0001-01-01T00:00:00Z')).toBeUndefined();
    expect(parseTime(undefined)).toBeUndefined();
    expect(parseTime('yesterday')).toBeUndefined();
    expect(parseTime('2026-01-02T03:04:05Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
  });

  test('exact and clock name every part', () => {
    expect(exact(0)).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d$/);
    expect(clock(7)).toMatch(/:00\.007$/);
    expect(span(5 * 86_400_000)).toBe('5 d');
  });
});

describe('numbers', () => {
  test('D23 percent never rounds up to everything', () => {
    expect(percent(0.999)).toBe('99 %');
    expect(percent(1)).toBe('100 %');
    expect(percent(0.29)).toBe('29 %');
  });
  test('counts and bytes', () => {
    expect(count(4210)).toBe('4,210');
    expect(plural(1, 'event')).toBe('1 event');
    expect(plural(2, 'entry', 'entries')).toBe('2 entries');
    expect(bytes(80 * 1024 * 1024)).toBe('80 MiB');
    expect(bytes(1536)).toBe('1.5 KiB');
  });
});
