import { Button } from '@patternfly/react-core';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { ExpandIcon, SearchMinusIcon, SearchPlusIcon } from '../../parts/icons';
import { Drawing, nodeElement } from './Drawing';
import { neighbour } from './layout';
import type { Direction, Layout, Link } from './layout';
import { fit, reveal, zoom } from './view';
import type { Size, View } from './view';

interface Props {
  layout: Layout;
  links: Link[];
  matches: ReadonlySet<string> | undefined;
  selected: string;
  select: (id: string) => void;
  /** What the layout was made for; another one is shown whole again. */
  by: string;
}

const readable = 0.42; // scale from which names are drawn
const close = 0.8; // scale from which ports are drawn

/** The map in its window: pans, zooms, and is walked with the arrow keys. */
export function MapWindow({ layout, links, matches, selected, select, by }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const size = useSize(frame);
  const [view, setView] = useState<View>({ x: 0, y: 0, scale: 1 });
  const [focus, setFocus] = useState('');
  const drag = useRef<{ x: number; y: number; moved: boolean } | undefined>(undefined);
  const whole = useCallback(() => size && setView(fit(layout, size)), [layout, size]);

  const shown = useRef('');
  useEffect(() => {
    const what = `${by} ${layout.width}x${layout.height} ${size?.width}`;
    if (!size || shown.current === what) return;
    shown.current = what;
    setView(fit(layout, size));
  }, [by, layout, size]);

  useEffect(() => {
    const place = layout.places.get(selected);
    if (place && size) setView((v) => reveal(v, place, size));
    // Only a new choice moves the map, not every change of its numbers.
  }, [selected, size]);

  useEffect(() => {
    const one = matches?.size === 1 ? layout.places.get([...matches][0]!) : undefined;
    if (one && size) setView((v) => reveal(v, one, size));
  }, [matches, layout, size]);

  useWheel(frame, setView);

  const walk = (to: string | undefined) => {
    if (!to) return;
    setFocus(to);
    const place = layout.places.get(to);
    if (place && size) setView((v) => reveal(v, place, size));
  };
  const middle = { x: (size?.width ?? 0) / 2, y: (size?.height ?? 0) / 2 };
  const key = (e: React.KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key.startsWith('Arrow')) walk(neighbour(layout, focus || selected, e.key as Direction));
    else if ((e.key === 'Enter' || e.key === ' ') && focus) select(focus);
    else if (e.key === 'Escape') select('');
    else if (e.key === '+' || e.key === '=') setView((v) => zoom(v, 1.3, middle));
    else if (e.key === '-') setView((v) => zoom(v, 1 / 1.3, middle));
    else if (e.key === '0') whole();
    else return;
    e.preventDefault();
  };
  const move = (e: React.PointerEvent) => {
    const from = drag.current;
    if (!from) return;
    const [dx, dy] = [e.clientX - from.x, e.clientY - from.y];
    if (!from.moved && Math.hypot(dx, dy) < 4) return;
    if (!from.moved) e.currentTarget.setPointerCapture(e.pointerId);
    drag.current = { x: e.clientX, y: e.clientY, moved: true };
    setView((v) => ({ ...v, x: v.x + dx, y: v.y + dy }));
  };
  const up = (e: React.PointerEvent) => {
    if (drag.current && !drag.current.moved) {
      const id = (e.target as Element).closest('[data-node]')?.getAttribute('data-node') ?? '';
      setFocus(id);
      select(id);
    }
    drag.current = undefined;
  };

  const level = view.scale >= close ? 'close' : view.scale >= readable ? 'near' : 'far';
  return (
    <div className="rd-map">
      <div
        ref={frame}
        className={`rd-map-frame rd-${level}${links.length > 150 ? ' rd-dense' : ''}`}
        role="listbox"
        tabIndex={0}
        aria-label="Map of workloads: arrow keys walk, Enter opens, plus and minus zoom"
        aria-activedescendant={focus && layout.places.has(focus) ? nodeElement(layout, focus) : undefined}
        onKeyDown={key}
        onPointerDown={(e) => e.button === 0 && (drag.current = { x: e.clientX, y: e.clientY, moved: false })}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={() => (drag.current = undefined)}
      >
        <svg width="100%" height="100%" role="presentation">
          <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
            <Drawing layout={layout} links={links} matches={matches} selected={selected} focus={focus} />
          </g>
        </svg>
      </div>
      <div className="rd-map-tools">
        <Button variant="secondary" icon={<SearchPlusIcon />} aria-label="Zoom in" onClick={() => setView((v) => zoom(v, 1.3, middle))} />
        <Button variant="secondary" icon={<SearchMinusIcon />} aria-label="Zoom out" onClick={() => setView((v) => zoom(v, 1 / 1.3, middle))} />
        <Button variant="secondary" icon={<ExpandIcon />} aria-label="Show all" onClick={whole} />
      </div>
    </div>
  );
}

function useSize(of: React.RefObject<HTMLElement | null>): Size | undefined {
  const [size, setSize] = useState<Size>();
  useLayoutEffect(() => {
    const element = of.current;
    if (!element) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [of]);
  return size;
}

/** Wheel and pinch; React's own listener is passive and could not keep the page still. */
function useWheel(of: React.RefObject<HTMLElement | null>, setView: (f: (v: View) => View) => void) {
  useEffect(() => {
    const element = of.current;
    if (!element) return;
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const box = element.getBoundingClientRect();
      setView((v) => zoom(v, Math.exp(-e.deltaY * 0.0015), { x: e.clientX - box.left, y: e.clientY - box.top }));
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [of, setView]);
}
