/** The policy a statement stands in: "shop#2" is the second of "shop". */
export const policyOf = (statement: string): string => statement.split('#')[0] ?? statement;
