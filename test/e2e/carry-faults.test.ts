import { testFaults } from './carried-faults.ts';

testFaults('undici');
