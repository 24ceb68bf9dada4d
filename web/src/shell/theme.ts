import { useEffect, useState } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const key = 'redoubt.theme'; // a preference, the only thing kept in the browser
const dark = window.matchMedia('(prefers-color-scheme: dark)');

export function savedTheme(): Theme {
  const t = localStorage.getItem(key);
  return t === 'light' || t === 'dark' ? t : 'system';
}

export function applyTheme(theme: Theme): void {
  const on = theme === 'dark' || (theme === 'system' && dark.matches);
  document.documentElement.classList.toggle('pf-v6-theme-dark', on);
  document.documentElement.style.colorScheme = on ? 'dark' : 'light';
}

/** The chosen theme and the switch to the next; follows the system while it is to. */
export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(savedTheme);
  useEffect(() => {
    applyTheme(theme);
    const follow = () => applyTheme(theme);
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, [theme]);
  const next: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
  return [
    theme,
    () => {
      localStorage.setItem(key, next[theme]);
      setTheme(next[theme]);
    },
  ];
}
