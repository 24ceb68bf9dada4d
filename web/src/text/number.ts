const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** 4210 as "4,210". */
export const count = (n: number) => grouped.format(n);

/** "1 event", "4,210 events". */
export const plural = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** 0.973 as "97 %": rounded down, so that 100 % means all of it. */
export const percent = (share: number) => `${Math.floor(share * 100 + 1e-9)} %`;

/** A small share with one digit: "0.4 %". */
export const finePercent = (share: number) => `${(share * 100).toFixed(1)} %`;

/** Bytes in binary units. */
export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${n < 10 && i > 0 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}
