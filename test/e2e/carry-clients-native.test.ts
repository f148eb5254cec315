import tap from 'tap';
import { testClients } from './carried-clients.ts';

tap.setTimeout(300_000); // slow readers take their time: half a minute, on a machine that has nothing else to do
testClients('native');
