import { PageSection } from '@patternfly/react-core';
import { usePrincipals } from '../../api/callers';
import { Head } from '../../parts/Head';
import { Served } from '../../parts/Served';
import { Views } from '../../parts/Views';
import type { View } from '../../parts/Views';
import { AccessPolicies } from './AccessPolicies';
import { Keys } from './Keys';
import { Principals } from './Principals';
import { Simulator } from './Simulator';
import { WhoCan } from './WhoCan';

const views: View[] = [
  ['principals', 'Principals', () => <Principals />],
  ['keys', 'Keys', () => <Keys />],
  ['policies', 'Access policies', () => <AccessPolicies />],
  ['simulator', 'Simulator', () => <Simulator />],
  ['who', 'Who can do what', () => <WhoCan />],
];

export default function Callers() {
  const principals = usePrincipals();
  return (
    <>
      <Head title="Callers">Who calls functions and what each may do. What no policy permits is denied, and a forbid wins. People who use this console are under Access.</Head>
      <PageSection isFilled>
        <Served of={{ ...principals, data: principals.items }} act="List principals">{() => <Views of={views} label="Views of callers" />}</Served>
      </PageSection>
    </>
  );
}
