// Where one is and where one wanted to go.

const WANTED = "baro.wanted";

export const go = (address) => {
  location.hash = address;
};

// Who must sign in first comes back to where it was.
export function goAfterSigningIn(address) {
  sessionStorage.setItem(WANTED, address);
  go("/account");
}

// The address that somebody had to leave to sign in, once; else null.
export function takeWanted() {
  const address = sessionStorage.getItem(WANTED);
  sessionStorage.removeItem(WANTED);
  return address;
}
