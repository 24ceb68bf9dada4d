import { Timestamp } from './Timestamp';
import { useText } from './clock';
import { parseTime, relative } from '../text/time';

/** A time as people say it, exact on hover; a dash for never. */
export function Time({ at, never = '–' }: { at: string | undefined; never?: string }) {
  const ms = parseTime(at);
  const text = useText((now) => (ms === undefined ? never : relative(ms, now)));
  return ms === undefined ? <span>{never}</span> : <Timestamp ms={ms}>{text}</Timestamp>;
}
