import tap from 'tap';
import { testClients } from './carried-clients.ts';

tap.setTimeout(300_000); // slow readers take half a minute, even on an idle machine
testClients('undici');
