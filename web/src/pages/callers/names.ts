const form = /^(user|role|function|key)\/[A-Za-z0-9][A-Za-z0-9._@+:=,-]{0,127}$|^service\/[a-z][a-z0-9-]{0,31}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$/;

/** What is wrong with a principal's id; false where nothing is. */
export function principalProblem(id: string): string | false {
  return !form.test(id) && 'Write user/NAME, role/NAME, function/NAME or service/NAME.';
}

/** Words divided by commas or spaces, none twice. */
export const words = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];
