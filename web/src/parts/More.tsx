import { Bullseye, Button } from '@patternfly/react-core';
import { count } from '../text/number';

interface Paged { items: unknown[] | undefined; total: number | undefined; hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }

/** The end of a list: says how much of it is shown and fetches the next page. */
export function More({ of }: { of: Paged }) {
  const shown = of.items?.length ?? 0;
  return (
    <Bullseye className="rd-more">
      <span>{count(shown)} shown{of.total ? ` of ${count(of.total)}` : of.hasNextPage ? ', there are more' : ''}</span>
      {of.hasNextPage && (
        <Button variant="secondary" isLoading={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>
          Load more
        </Button>
      )}
    </Bullseye>
  );
}
