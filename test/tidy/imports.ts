import { posix } from 'node:path';
import { placeOf, type Source } from './sources.js';

export interface Import {
  readonly place: string;
  readonly from: string;
  /** A path of the repository, `node:…`, or the name of a package. */
  readonly to: string;
}

const patterns = [
  /\b(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])(?<target>[^'"]+)\1/g,
  /\bimport\s*(['"])(?<target>[^'"]+)\1/g,
  /\b(?:import|require)\(\s*(['"])(?<target>[^'"]+)\1/g,
];

/** What a file imports: statically, for its types only, on demand, or by `require`. */
export function importsOf(source: Source): Import[] {
  return patterns.flatMap((pattern) =>
    [...source.uncommented.matchAll(pattern)]
      // The same words inside a string are not an import.
      .filter((match) => /^[ier]/.test(source.code.charAt(match.index)))
      .map((match) => ({
        place: placeOf(source, match.index),
        from: source.path,
        to: resolved(source.path, match.groups?.['target'] ?? ''),
      })),
  );
}

function resolved(from: string, target: string): string {
  if (target.startsWith('.')) {
    return posix.join(posix.dirname(from), target).replace(/\.js$/, '.ts');
  }
  if (target.startsWith('node:')) return target;
  const [scopeOrName = '', name = ''] = target.split('/');
  return target.startsWith('@') ? `${scopeOrName}/${name}` : scopeOrName;
}

/** Each cycle once, as `a → b → a`. */
export function cyclesOf(imports: readonly Import[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) cycles.push([...path.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return cycles;
}
