import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// While drawing pages, `npm run dev` serves them and passes everything else on
// to a running console.
const console_ = process.env['REDOUBT_URL'] ?? 'https://127.0.0.1:8443';

export default defineConfig({
  plugins: [react()],
  build: {
    // The content security policy of the console forbids data: URLs.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: { '/api': { target: console_, secure: false, changeOrigin: true } },
  },
});
