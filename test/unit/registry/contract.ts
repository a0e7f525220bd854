import { attributeContract } from './contract-attributes.js';
import { changeContract } from './contract-changes.js';
import { credentialContract } from './contract-credentials.js';
import { deviceContract } from './contract-devices.js';
import { importContract } from './contract-import.js';
import { profileContract } from './contract-profiles.js';
import { ContractTests, type OpenRegistry } from './contract-test.js';

/**
 * Everything that src/registry/registry.ts promises, as tests of one implementation: call it at the
 * top of a test file with the name to print and a function that opens an empty registry.
 */
export function registryContract(kind: string, open: OpenRegistry): void {
  const tests = new ContractTests(kind, open);
  deviceContract(tests);
  profileContract(tests);
  credentialContract(tests);
  attributeContract(tests);
  changeContract(tests);
  importContract(tests);
}
