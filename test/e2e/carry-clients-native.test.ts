import { testClients } from './carried-clients.ts';

testClients('native');
