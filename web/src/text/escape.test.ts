import { describe, expect, test } from 'vitest';
import { commandLine, escapeText, shorten } from './escape';

describe('D5 escapeText', () => {
  test.each([
    ['/usr/bin/netstat', '/usr/bin/netstat'],
    ['a\x1b[2Jb', 'a\\e[2Jb'],
    ['line\nbreak\r\t\0', 'line\\nbreak\\r\\t\\0'],
    ['\x07\x9b', '\\x07\\x9b'],
    ['gpj.\u202eexe', 'gpj.\\u{202e}exe'],
    ['zero\u200bwidth\ufeff', 'zero\\u{200b}width\\u{feff}'],
    ['\ud800', '\\u{d800}'],
    ['no-break\u00a0space', 'no-break\\xa0space'],
    ['grüße 世界 🚀', 'grüße 世界 🚀'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ])('%j', (raw, shown) => expect(escapeText(raw)).toBe(shown));

  test('is never longer to look at than it is long', () => {
    for (let code = 0; code < 0x3000; code++) {
      const shown = escapeText(String.fromCodePoint(code));
      expect(shown.length).toBeGreaterThan(0);
    }
  });
});

test('commandLine quotes what a shell would split', () => {
  expect(commandLine(['nginx', '-g', 'daemon off;'])).toBe("nginx -g 'daemon off;'");
  expect(commandLine(['echo', '', "it's"])).toBe("echo '' 'it'\\''s'");
  expect(commandLine(['sh', '-c', 'a\nb'])).toBe('sh -c a\\nb');
});

test('shorten keeps both ends', () => {
  expect(shorten('abcdefghij', 5)).toBe('ab…ij');
  expect(shorten('abc', 5)).toBe('abc');
});
