import { testClients } from './carried-clients.ts';

testClients('undici');
