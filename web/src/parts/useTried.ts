import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

const pause = 500; // ms without a key before a text is tried

/** Tries a text whenever typing pauses. Nothing is saved. */
export function useTried<T>(what: string, source: string, act: (source: string) => Promise<T>, enabled = true) {
  const [tried, setTried] = useState(source);
  useEffect(() => {
    const timer = setTimeout(() => setTried(source), pause);
    return () => clearTimeout(timer);
  }, [source]);
  const query = useQuery({ queryKey: ['tried', what, tried], enabled, queryFn: () => act(tried), placeholderData: keepPreviousData, gcTime: 60_000, retry: false });
  return { data: query.data, error: query.error, trying: enabled && (query.isFetching || tried !== source) };
}
