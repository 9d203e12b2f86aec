export { findLogin } from './find-login.ts';
export { type SaveLogin, saveLogin } from './save-login.ts';
