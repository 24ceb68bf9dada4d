import { Button, Form, FormGroup, FormHelperText, FormSelect, FormSelectOption, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core';
import { useState } from 'react';
import { usePutAlias } from '../../api/functions';
import type { FnDetail, Weight } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Field } from '../../parts/Field';
import { PlusIcon, TrashIcon } from '../../parts/icons';
import { sharesText, withCanary, wrongShares } from './aliases';

/** Points an alias at a version, or divides its calls among several. */
export function AliasDialog({ of: f, alias, weights, to, close }: { of: FnDetail; alias: string; weights: Weight[]; to?: number; close: () => void }) {
  const numbers = list(f.record.versions).map((v) => v.number);
  const put = usePutAlias(f.id);
  const [name, setName] = useState(alias);
  const [shares, setShares] = useState<Weight[]>(() => {
    if (to !== undefined) return weights.length > 0 ? withCanary(weights, to) : [{ version: to, percent: 100 }];
    return weights.length > 0 ? weights : [{ version: numbers[0] ?? 1, percent: 100 }];
  });
  const wrong = wrongShares(shares) ?? (new Set(shares.map((w) => w.version)).size < shares.length ? 'A version stands there twice.' : undefined);
  const badName = name !== '' && !/^(?=.*\D)[\w-]{1,63}$/.test(name) && 'Letters, digits, dashes and underscores; not a number alone';
  const set = (i: number, change: Partial<Weight>) => setShares(shares.map((w, k) => (k === i ? { ...w, ...change } : w)));
  const free = numbers.find((n) => !shares.some((w) => w.version === n));
  return (
    <Ask
      title={alias ? `Point ${alias} elsewhere` : 'New alias'}
      yes="Save"
      change={put}
      ready={!wrong && !badName && name !== ''}
      arg={() => ({ alias: name, weights: shares, revision: f.revision })}
      close={close}
    >
      <Form onSubmit={(e) => e.preventDefault()}>
        {!alias && <Field id="alias-name" label="Name" value={name} set={setName} wrong={badName} help="Callers name it after a colon, as in orders:beta." />}
        {shares.map((w, i) => (
          <div key={i} className="rd-weight">
            <FormGroup label="Version" fieldId={`weight-version-${i}`}>
              <FormSelect id={`weight-version-${i}`} value={w.version} onChange={(_, v) => set(i, { version: Number(v) })}>
                {numbers.map((n) => <FormSelectOption key={n} value={n} label={n === f.newest ? `${n} (newest)` : String(n)} />)}
              </FormSelect>
            </FormGroup>
            <FormGroup label="Share of the calls, %" fieldId={`weight-percent-${i}`}>
              <TextInput id={`weight-percent-${i}`} type="number" min={1} max={100} value={Number.isNaN(w.percent) ? '' : w.percent} onChange={(_, v) => set(i, { percent: v === '' ? Number.NaN : Number(v) })} />
            </FormGroup>
            {shares.length > 1 && <Button variant="plain" icon={<TrashIcon />} aria-label={`Take version ${w.version} out`} onClick={() => setShares(shares.filter((_, k) => k !== i))} />}
          </div>
        ))}
        <span className="rd-actions">
          {free !== undefined && shares.length < 10 && <Button variant="link" isInline icon={<PlusIcon />} onClick={() => setShares(withCanary(shares, free))}>Add a canary</Button>}
          {shares.length > 1 && <Button variant="link" isInline onClick={() => setShares([{ version: to ?? shares[0]!.version, percent: 100 }])}>All to version {to ?? shares[0]!.version}</Button>}
        </span>
        <FormHelperText>
          <HelperText aria-live="polite">
            <HelperTextItem variant={wrong ? 'error' : 'default'}>{wrong ?? `From the next call on it is ${sharesText(shares)}. Roll back takes it to where it is now.`}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </Form>
    </Ask>
  );
}
