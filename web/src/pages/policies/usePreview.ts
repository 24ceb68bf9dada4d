import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { previewPolicy } from '../../api/hooks';
import { list } from '../../api/types';
import { problemsOf } from '../../parts/problems';

const pause = 500; // ms without a key before the document is tried

/** Tries the document on recorded events whenever typing pauses. Nothing is saved. */
export function usePreview(source: string) {
  const [tried, setTried] = useState(source);
  useEffect(() => {
    const timer = setTimeout(() => setTried(source), pause);
    return () => clearTimeout(timer);
  }, [source]);
  const query = useQuery({
    queryKey: ['preview', tried],
    queryFn: () => previewPolicy(tried),
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    retry: false,
  });
  const problems = query.error ? problemsOf(query.error) : list(query.data?.problems);
  return { preview: query.data, problems, error: query.error && problems.length === 0 ? query.error : null, trying: query.isFetching || tried !== source };
}

export type Tried = ReturnType<typeof usePreview>;
