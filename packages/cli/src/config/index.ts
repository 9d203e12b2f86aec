export { type SaveLogin, saveLogin } from './save-login.ts';
