import { chromium } from 'playwright-core';
const [,, setup, out] = process.argv;
const b = await chromium.launch({executablePath:'/usr/bin/chromium', args:['--no-sandbox','--disable-gpu','--disable-quic','--no-first-run','--disable-background-networking','--disable-component-update','--disable-sync']});
const c = await b.newContext({ignoreHTTPSErrors:true, viewport:{width:1280,height:860}, colorScheme: process.env.DARK?'dark':'light'});
const p = await c.newPage();
p.on('pageerror', e => console.log('PAGEERROR', e.message)); p.on('console', m => { if (m.type()==='error') console.log('CONSOLE', m.text()); });
if (setup.includes('/setup')) {
 await p.goto(setup); await p.waitForTimeout(800); await p.screenshot({path: out+'/setup.png'});
 const inputs = p.locator('input'); const n = await inputs.count(); console.log('inputs', n);
 await p.getByLabel(/name/i).first().fill('ann'); for (const i of await p.locator('input[type=password]').all()) await i.fill('correct horse battery');
 await p.getByRole('button', {name:/create|set up|make|continue/i}).first().click(); await p.waitForTimeout(1500);
}
const base = new URL(setup).origin;
if (!setup.includes('/setup')) { await p.goto(base+'/login'); await p.getByLabel(/name/i).first().fill('ann'); await p.locator('input[type=password]').first().fill('correct horse battery'); await p.keyboard.press('Enter'); await p.waitForTimeout(1200);}
const pages = (process.env.PAGES||'/,/radar,/workloads,/alerts,/incidents,/events,/policies,/nodes,/access,/audit').split(',');
for (const u of pages) { await p.goto(base+u); await p.waitForTimeout(1500); await p.screenshot({path: out+'/'+(u==='/'?'overview':u.slice(1).replace(/[^a-z0-9]+/gi,'_'))+(process.env.DARK?'_dark':'')+'.png'}); console.log(u, await p.title()); }
await b.close();
