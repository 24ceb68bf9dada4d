import { useEffect } from 'react';
import { useNavigate } from 'react-router';
import { places } from './places';

const together = 1200; // ms between g and the letter

/** Keys that work on every page: "/" searches, "g" and a letter jumps, "?" helps. */
export function useShortcuts(help: () => void) {
  const navigate = useNavigate();
  useEffect(() => {
    let g = 0;
    const press = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || writing(e.target) || document.querySelector('[role="dialog"]')) return;
      const place = Date.now() - g < together ? places.find((p) => p.key === e.key) : undefined;
      g = e.key === 'g' && !place ? Date.now() : 0;
      if (place) void navigate(place.path);
      else if (e.key === '?') help();
      else if (e.key === '/') focusSearch();
      else return;
      e.preventDefault();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [help, navigate]);
}

function focusSearch() {
  document.querySelector<HTMLInputElement>('[data-search] input, input[data-search]')?.focus();
}

function writing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
}
