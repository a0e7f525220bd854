import { openTestRegistry } from '../../support/registry.js';
import { registryContract } from './contract.js';

registryContract('sqlite', openTestRegistry);
