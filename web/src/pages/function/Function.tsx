import { PageSection } from '@patternfly/react-core';
import { useParams } from 'react-router';
import { useFunction } from '../../api/functions';
import type { FnDetail } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Crumbs } from '../../parts/Crumbs';
import { Head } from '../../parts/Head';
import { FnStateLabel } from '../../parts/functionLabels';
import { StateLabel } from '../../parts/labels';
import { Served } from '../../parts/Served';
import { Time } from '../../parts/Time';
import { Views } from '../../parts/Views';
import type { View } from '../../parts/Views';
import { escapeText } from '../../text/escape';
import { Actions } from './Actions';
import { Invocations } from './Invocations';
import { Logs } from './Logs';
import { ModelView } from './ModelView';
import { Overview } from './Overview';
import { Permissions } from './Permissions';
import { TryOut } from './TryOut';
import { Versions } from './Versions';

const views = (f: FnDetail): View[] => [
  ['overview', 'Overview', () => <Overview of={f} />],
  ['versions', `Versions (${list(f.record.versions).length})`, () => <Versions of={f} />],
  ['model', 'Model', () => <ModelView of={f} />],
  ['permissions', 'Permissions', () => <Permissions of={f} />],
  ['invocations', 'Invocations', () => <Invocations name={f.id} />],
  ['logs', 'Logs', () => <Logs name={f.id} />],
  ['test', 'Test', () => <TryOut of={f} />],
];

export default function Function() {
  const { name = '' } = useParams();
  const fn = useFunction(name);
  const f = fn.data;
  return (
    <>
      <Head
        title={escapeText(name)}
        crumbs={<Crumbs to="/functions" list="Functions" here={escapeText(name)} />}
        actions={f && <Actions of={f} />}
      >
        {f && (
          <>
            <span className="rd-row-labels">
              <FnStateLabel of={f.state} reason={f.reason} />
              {f.model && <StateLabel of={f.model} />}
              <span>{f.runtime} {f.language}, {f.memory} MiB</span>
              <span>changed <Time at={f.time} />{f.by && ` by ${escapeText(f.by)}`}</span>
            </span>
            {f.description && <p>{escapeText(f.description)}</p>}
            {f.state === 'disabled' && f.reason && <p>Disabled because: {escapeText(f.reason)}</p>}
          </>
        )}
      </Head>
      <PageSection isFilled>
        <Served of={fn} act="Read the function">{(found) => <Views key={found.id} of={views(found)} label="Views of the function" />}</Served>
      </PageSection>
    </>
  );
}
