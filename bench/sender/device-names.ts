/** The devices of the bench: what is imported into the node and what the sender logs in as. */
export function deviceName(index: number): string {
  return `bench-${String(index).padStart(6, '0')}`;
}

export function deviceToken(index: number): string {
  return `bench-token-${String(index).padStart(6, '0')}`;
}
