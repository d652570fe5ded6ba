// Every text of the console, in English and in Korean.

const KEPT = "baro.language";

const words = {
  skip: ["Skip to the content", "본문으로 건너뛰기"],
  shop: ["Shop", "상점"],
  cart: ["Cart", "장바구니"],
  orders: ["Orders", "주문"],
  coupons: ["Coupons", "쿠폰"],
  account: ["Account", "계정"],
  operations: ["Operations", "운영"],
  sagas: ["Sagas", "사가"],
  signIn: ["Sign in", "로그인"],
  signUp: ["Sign up", "회원 가입"],
  signOut: ["Sign out", "로그아웃"],
  email: ["E-mail", "이메일"],
  password: ["Password", "비밀번호"],
  passwordRule: ["8 characters or more: a letter, a digit and one of @$!%*?&", "8자 이상, 영문자·숫자·특수문자(@$!%*?&) 포함"],
  name: ["Name", "이름"],
  needAccount: ["Please sign in first.", "먼저 로그인해 주세요."],
  balance: ["Balance", "잔액"],
  charge: ["Charge", "충전"],
  amount: ["Amount (won)", "금액 (원)"],
  charged: ["Your balance is {0} now.", "잔액이 {0}이 되었습니다."],
  history: ["Wallet history", "지갑 내역"],
  when: ["When", "일시"],
  kind: ["Kind", "종류"],
  note: ["Note", "메모"],
  search: ["Search", "검색"],
  sort: ["Sort by", "정렬"],
  latest: ["Newest", "최신순"],
  price_asc: ["Price, low to high", "낮은 가격순"],
  price_desc: ["Price, high to low", "높은 가격순"],
  popular: ["Popular", "인기순"],
  more: ["More", "더 보기"],
  from: ["from {0}", "{0}부터"],
  nothing: ["Nothing here yet.", "아직 아무것도 없습니다."],
  available: ["{0} left", "{0}개 남음"],
  soldOut: ["Sold out", "품절"],
  quantity: ["Quantity", "수량"],
  addToCart: ["Add to cart", "장바구니에 담기"],
  added: ["In the cart.", "장바구니에 담았습니다."],
  remove: ["Remove", "삭제"],
  total: ["Total", "합계"],
  coupon: ["Coupon", "쿠폰"],
  noCoupon: ["None", "사용 안 함"],
  order: ["Place the order", "주문하기"],
  pay: ["Pay {0}", "{0} 결제"],
  cancel: ["Cancel the order", "주문 취소"],
  refund: ["Cancel and refund", "취소하고 환불"],
  orderTitle: ["Order {0}", "주문 {0}"],
  payUntil: ["Payable for another {0}", "결제 가능 시간 {0}"],
  path: ["What happened", "진행 과정"],
  items: ["Items", "상품"],
  product: ["Product", "상품"],
  price: ["Price", "가격"],
  status: ["Status", "상태"],
  claims: ["Claim", "받기"],
  claimed: ["Claimed", "받음"],
  yourRank: ["You are number {0}!", "{0}번째로 받았습니다!"],
  opensIn: ["Opens in {0}", "{0} 후 시작"],
  closesIn: ["Closes in {0}", "{0} 후 마감"],
  couponsLeft: ["{0} of {1} left", "{1}장 중 {0}장 남음"],
  discountWon: ["{0} off", "{0} 할인"],
  discountPercent: ["{0} % off", "{0} % 할인"],
  yourCoupons: ["Your coupons", "내 쿠폰"],
  rank: ["Rank", "순번"],
  until: ["until {0}", "{0}까지"],
  requestsPerSecond: ["Requests per second", "초당 요청"],
  p99: ["Answer time, p50 and p99 (ms)", "응답 시간 p50·p99 (ms)"],
  laws: ["Conservation laws", "보존 법칙"],
  lawOk: ["{0}: holds", "{0}: 정상"],
  lawBroken: ["{0}: {1} violations", "{0}: 위반 {1}건"],
  checkedAt: ["Checked at {0}", "{0}에 확인"],
  hottest: ["Selling best", "가장 많이 팔린 상품"],
  sold: ["Sold", "판매"],
  deadLetters: ["Dead letters", "전달 실패 이벤트"],
  replay: ["Replay", "다시 보내기"],
  retry: ["Retry", "다시 시도"],
  step: ["Step", "단계"],
  outcome: ["Outcome", "결과"],
  attempts: ["Attempts", "시도"],
  took: ["Took", "소요"],
  state: ["State", "상태"],
  all: ["All", "전체"],
  error: ["Error", "오류"],
  sink: ["Sink", "전달처"],
  done: ["Done.", "완료했습니다."],
  adminsOnly: ["For admins only.", "관리자만 볼 수 있습니다."],
  redeem_coupon: ["Use the coupon", "쿠폰 사용"],
  debit_wallet: ["Debit the wallet", "지갑 출금"],
  confirm_stock: ["Confirm the stock", "재고 확정"],
  release_stock: ["Release the stock", "재고 해제"],
  restore_coupon: ["Give the coupon back", "쿠폰 복원"],
  refund_wallet: ["Give the money back", "금액 환불"],
  return_stock: ["Return the stock", "재고 복원"],
  compensated: ["compensation", "보상"],
  PENDING: ["Waiting for payment", "결제 대기"],
  PAYING: ["Paying", "결제 중"],
  PAID: ["Paid", "결제 완료"],
  HELD: ["Being looked into", "확인 중"],
  FAILED: ["Failed", "실패"],
  EXPIRED: ["Expired", "만료"],
  CANCELLED: ["Cancelled", "취소됨"],
  REFUNDING: ["Refunding", "환불 중"],
  REFUNDED: ["Refunded", "환불 완료"],
  PREPARING: ["Preparing", "상품 준비 중"],
  SHIPPING: ["Shipping", "배송 중"],
  DELIVERED: ["Delivered", "배송 완료"],
};

const languages = ["en", "ko"];
const preferred = localStorage.getItem(KEPT) ?? (navigator.language.startsWith("ko") ? "ko" : "en");
document.documentElement.lang = languages.includes(preferred) ? preferred : "en";

export const language = () => document.documentElement.lang;
export const otherLanguage = () => (language() === "en" ? "한국어" : "English");
export function switchLanguage() {
  document.documentElement.lang = language() === "en" ? "ko" : "en";
  localStorage.setItem(KEPT, language());
}

// The text of a key, with {0}, {1} filled in; a key without a text is its own text.
export function say(key, ...values) {
  const text = words[key]?.[languages.indexOf(language())] ?? key;
  return text.replace(/\{(\d)\}/g, (_, index) => values[index]);
}

export const won = (amount) => new Intl.NumberFormat(language(), { style: "currency", currency: "KRW" }).format(amount);
export const time = (text) => new Intl.DateTimeFormat(language(), { dateStyle: "short", timeStyle: "medium" }).format(new Date(text));

// Milliseconds as 1:02:03 or 2:03.
export function countdown(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}
