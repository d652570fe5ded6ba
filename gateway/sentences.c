// Two tables of the same sentences side by side would drift: a row has both. {1}, {2} stand for what the
// services put in (numbers, states, whole sentences), and are worded themselves if they have a row.
//
// Invariant: whatever a client can be told has a row, and no row is told by nobody. tests/lint/sentences
// reads both out of the sources.

#include "gateway/sentences.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <string.h>
#include <strings.h>

enum { PARTS_MAX = 4, WEIGHT_MAX = 1000 };

static const char *const TAGS[LANGUAGE_COUNT] = {[ENGLISH] = "en", [KOREAN] = "ko"};

// clang-format off
static const struct {
    const char *english;
    const char *korean;
} ROWS[] = {
    // titles (errors.c)
    {"The request is not valid", "요청이 올바르지 않습니다"},
    {"The coupon cannot be used here", "사용할 수 없는 쿠폰입니다"},
    {"Sign in first", "먼저 로그인해 주세요"},
    {"The access token has expired", "로그인이 만료되었습니다"},
    {"The balance is too low", "잔액이 부족합니다"},
    {"This is not yours to see or change", "조회하거나 변경할 권한이 없습니다"},
    {"The coupon is not being issued now", "지금은 쿠폰 발급 기간이 아닙니다"},
    {"There is no such user", "사용자를 찾을 수 없습니다"},
    {"There is no such product", "상품을 찾을 수 없습니다"},
    {"There is no such option", "상품 옵션을 찾을 수 없습니다"},
    {"There is no such order", "주문을 찾을 수 없습니다"},
    {"There is no such coupon", "쿠폰을 찾을 수 없습니다"},
    {"There is no such line in the cart", "장바구니에 없는 항목입니다"},
    {"There is no such payment", "결제를 찾을 수 없습니다"},
    {"There is no such saga", "사가를 찾을 수 없습니다"},
    {"There is no such dead letter", "전달 실패 이벤트를 찾을 수 없습니다"},
    {"There is nothing at this path", "이 주소에는 아무것도 없습니다"},
    {"This path does not know the method", "이 주소에서 쓸 수 없는 메서드입니다"},
    {"The e-mail address is taken", "이미 가입된 이메일입니다"},
    {"The code is taken", "이미 사용 중인 코드입니다"},
    {"The same request is still running", "같은 요청이 아직 처리 중입니다"},
    {"The product cannot be ordered", "주문할 수 없는 상품입니다"},
    {"The stock does not suffice", "재고가 부족합니다"},
    {"The order cannot be paid", "결제할 수 없는 주문입니다"},
    {"The order has expired", "주문이 만료되었습니다"},
    {"The order is paid already", "이미 결제된 주문입니다"},
    {"The state does not allow this", "현재 상태에서는 할 수 없습니다"},
    {"The stock is no longer held for this order", "이 주문에 잡아 둔 재고가 풀렸습니다"},
    {"The coupon was claimed before", "이미 받은 쿠폰입니다"},
    {"This was taken back already", "이미 취소된 작업입니다"},
    {"Somebody else changed this at the same time", "다른 요청이 동시에 변경했습니다. 다시 시도해 주세요"},
    {"The coupon is sold out", "쿠폰이 모두 소진되었습니다"},
    {"The body must be application/json", "본문은 application/json이어야 합니다"},
    {"The idempotency key belongs to another request", "다른 요청에 쓰인 멱등 키입니다"},
    {"Too many requests", "요청이 너무 잦습니다. 잠시 후 다시 시도해 주세요"},
    {"Blocked after too many failures", "실패가 반복되어 잠시 이용이 제한되었습니다"},
    {"Something went wrong here", "서버에 문제가 생겼습니다"},
    {"This is not offered yet", "아직 제공하지 않는 기능입니다"},
    {"A part of the system failed", "시스템 일부에 장애가 있습니다"},
    {"The outcome is not known yet", "처리 결과를 아직 알 수 없습니다"},
    {"Too much to do at the moment", "지금은 요청이 몰려 처리할 수 없습니다. 잠시 후 다시 시도해 주세요"},
    {"A part of the system cannot be reached", "시스템 일부에 연결할 수 없습니다"},
    {"It took too long", "처리 시간이 초과되었습니다"},

    // what is wrong with a field of a request: said after its name
    {"is not valid", "올바르지 않습니다"},
    {"is not a parameter of this request", "이 요청의 매개변수가 아닙니다"},
    {"is not a field of this request", "이 요청의 필드가 아닙니다"},
    {"must be given", "반드시 있어야 합니다"},
    {"appears more than once", "두 번 이상 나옵니다"},
    {"is not well-formed", "형식이 올바르지 않습니다"},
    {"is not well-formed UTF-8", "올바른 UTF-8이 아닙니다"},
    {"is not well-formed JSON", "올바른 JSON이 아닙니다"},
    {"must not hold the character U+0000", "U+0000 문자를 쓸 수 없습니다"},
    {"ends too early: this is not a whole JSON", "JSON이 중간에 끝났습니다"},
    {"something follows the JSON object", "JSON 객체 뒤에 불필요한 내용이 있습니다"},
    {"is nested more than 8 levels deep", "8단계보다 깊게 중첩되었습니다"},
    {"the body must be a JSON object", "본문은 JSON 객체여야 합니다"},
    {"must be a JSON object", "JSON 객체여야 합니다"},
    {"must be an object", "객체여야 합니다"},
    {"must be an array", "배열이어야 합니다"},
    {"must be a string", "문자열이어야 합니다"},
    {"must be true or false", "true 또는 false여야 합니다"},
    {"must be an integer", "정수여야 합니다"},
    {"must be an integer of at most 63 bits", "63비트 이내의 정수여야 합니다"},
    {"is out of range", "허용 범위를 벗어났습니다"},
    {"must be a number with at most two decimals", "소수점 둘째 자리까지의 숫자여야 합니다"},
    {"must be a time such as 2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z 같은 시각이어야 합니다"},
    {"must be one of {1}", "다음 중 하나여야 합니다: {1}"},
    {"is larger than 64 KiB", "64 KiB를 넘습니다"},
    {"this request takes no body", "이 요청에는 본문이 없어야 합니다"},
    {"this request needs the header Idempotency-Key", "이 요청에는 Idempotency-Key 헤더가 필요합니다"},
    {"must be 1 to 255 visible ASCII characters", "공백이 없는 ASCII 문자 1~255자여야 합니다"},
    {"is longer than 255 characters", "255자를 넘습니다"},
    {"is not a token of this list", "이 목록의 페이지 토큰이 아닙니다"},
    {"must be 1 to 100", "1에서 100 사이여야 합니다"},
    {"must be 1 to 30", "1에서 30 사이여야 합니다"},
    {"must be 1 to 10", "1에서 10 사이여야 합니다"},
    {"must be at least 1", "1 이상이어야 합니다"},
    {"must be at most 1,000,000", "1,000,000 이하여야 합니다"},
    {"must be positive", "0보다 커야 합니다"},
    {"must be positive and at most a day", "0보다 크고 하루 이하여야 합니다"},
    {"is too large", "너무 큽니다"},
    {"must be KILL, DELAY, DROP_BUS or EMPTY_REDIS", "KILL, DELAY, DROP_BUS, EMPTY_REDIS 중 하나여야 합니다"},
    {"must be user, product, order or coupon", "user, product, order, coupon 중 하나여야 합니다"},
    {"must be 1 to 60", "1에서 60 사이여야 합니다"},
    {"must be 1 to 5,000", "1에서 5,000 사이여야 합니다"},

    // headers
    {"a header holds characters that it must not", "헤더에 쓸 수 없는 문자가 있습니다"},
    {"a header that must be single is repeated", "한 번만 보내야 하는 헤더가 여러 번 왔습니다"},
    {"only HTTP/1.1 and HTTP/1.0 are spoken here", "HTTP/1.1과 HTTP/1.0만 지원합니다"},
    {"the Host header is missing or malformed", "Host 헤더가 없거나 잘못되었습니다"},
    {"Content-Length and Transfer-Encoding exclude each other", "Content-Length와 Transfer-Encoding은 함께 쓸 수 없습니다"},
    {"Content-Length must be a number", "Content-Length는 숫자여야 합니다"},
    {"the only Transfer-Encoding is chunked", "Transfer-Encoding은 chunked만 쓸 수 있습니다"},
    {"an access token is needed: Authorization: Bearer", "액세스 토큰이 필요합니다 (Authorization: Bearer)"},
    {"only an administrator may do this", "관리자만 할 수 있습니다"},
    {"the token is not for this service", "이 서비스의 토큰이 아닙니다"},
    {"the token lacks a claim", "토큰에 필요한 정보가 없습니다"},
    {"the access token has expired: refresh it", "액세스 토큰이 만료되었습니다. 갱신해 주세요"},
    {"the token is not valid yet", "아직 유효하지 않은 토큰입니다"},
    {"the token's signature is not valid", "토큰의 서명이 올바르지 않습니다"},
    {"the token's algorithm is not ours", "지원하지 않는 토큰 알고리즘입니다"},
    {"the token's key is not known", "토큰의 서명 키를 찾을 수 없습니다"},
    {"the Authorization header holds no bearer token", "Authorization 헤더에 Bearer 토큰이 없습니다"},
    {"the token is not one of ours", "이 시스템이 발급한 토큰이 아닙니다"},
    {"the signing keys are being fetched", "서명 키를 가져오는 중입니다"},

    // the system itself
    {"shutting down", "서버가 종료되는 중입니다"},
    {"this gateway is shutting down", "게이트웨이가 종료되는 중입니다"},
    {"too many streams of one user: close another first", "열어 둔 스트림이 너무 많습니다. 다른 스트림을 먼저 닫아 주세요"},
    {"no room for another stream", "스트림을 더 열 수 없습니다"},
    {"too many calls are in flight", "처리 중인 요청이 너무 많습니다"},
    {"too many calls wait for this method", "대기 중인 요청이 너무 많습니다"},
    {"out of memory", "메모리가 부족합니다"},
    {"the request could not be sent", "요청을 전달하지 못했습니다"},
    {"no answer in time", "제시간에 응답이 없습니다"},
    {"no time left", "남은 시간이 없습니다"},
    {"no replica answered in time", "제시간에 응답한 서버가 없습니다"},
    {"no replica is reachable", "연결할 수 있는 서버가 없습니다"},
    {"the time was over before the work", "처리를 시작하기 전에 시간이 지났습니다"},
    {"the time was over before the hold", "재고를 확보하기 전에 처리 시간이 지났습니다"},
    {"no such method", "없는 기능입니다"},
    {"the request is malformed", "요청의 형식이 올바르지 않습니다"},
    {"the same request is still running", "같은 요청이 아직 처리 중입니다"},
    {"the idempotency key was used for another request", "다른 요청에 쓰인 멱등 키입니다"},
    {"sign in first", "먼저 로그인해 주세요"},
    {"the caller may not do this", "권한이 없습니다"},
    {"a service did not answer in time", "서비스가 제시간에 응답하지 않았습니다"},
    {"the step was compensated before", "이미 취소된 단계입니다"},
    {"the laws cannot be checked now: {1}", "지금은 보존 법칙을 확인할 수 없습니다: {1}"},
    {"the first check has not ended yet", "첫 확인이 아직 끝나지 않았습니다"},
    {"a service tells other facts than expected", "서비스 간 정보가 서로 맞지 않습니다"},
    {"no order id could be had", "주문 번호를 발급하지 못했습니다"},
    {"the hold ran out before the order was written", "주문이 기록되기 전에 재고 확보 시간이 지났습니다"},

    // accounts and wallet
    {"this is not an e-mail address", "이메일 주소가 아닙니다"},
    {"a password has 8 to 1,024 characters", "비밀번호는 8~1,024자여야 합니다"},
    {"a password contains a letter", "비밀번호에는 영문자가 있어야 합니다"},
    {"a password contains a digit", "비밀번호에는 숫자가 있어야 합니다"},
    {"a password contains one of @$!%*?&", "비밀번호에는 @$!%*?& 중 하나가 있어야 합니다"},
    {"a name has 2 to 50 characters", "이름은 2~50자여야 합니다"},
    {"a name has no control characters", "이름에 제어 문자를 쓸 수 없습니다"},
    {"a name does not contain admin, root or system", "이름에 admin, root, system을 쓸 수 없습니다"},
    {"this e-mail address has an account", "이미 가입된 이메일입니다"},
    {"the e-mail address or the password is wrong", "이메일 또는 비밀번호가 올바르지 않습니다"},
    {"there is no such user", "사용자를 찾을 수 없습니다"},
    {"too many passwords wait to be checked", "로그인 요청이 너무 몰려 있습니다"},
    {"no memory to hash a password", "메모리가 부족합니다"},
    {"this is not a refresh token", "리프레시 토큰이 아닙니다"},
    {"this session has ended", "종료된 로그인입니다"},
    {"this session has expired", "만료된 로그인입니다"},
    {"a wallet has changed meanwhile", "그 사이 지갑이 변경되었습니다"},
    {"a note has at most 200 characters", "메모는 200자까지 쓸 수 있습니다"},
    {"which order is paid must be said", "결제할 주문을 지정해야 합니다"},
    {"a payment takes more than 0 won", "결제 금액은 0원보다 커야 합니다"},
    {"this order has been paid from a wallet before", "이미 지갑으로 결제된 주문입니다"},
    {"the balance is too low", "잔액이 부족합니다"},
    {"a charge is 1,000 to 100,000 won, in steps of 10", "충전은 1,000~100,000원, 10원 단위로 할 수 있습니다"},
    {"the balance would be above 10,000,000 won", "잔액이 10,000,000원을 넘게 됩니다"},
    {"an adjustment is a whole number of won, not 0", "조정 금액은 0이 아닌 정수여야 합니다"},
    {"the balance would be above what is exact in JSON", "잔액이 표현할 수 있는 범위를 넘게 됩니다"},
    {"a payment takes money", "결제 금액은 음수여야 합니다"},
    {"a refund gives money", "환불 금액은 0원보다 커야 합니다"},
    {"must be a time between 1970 and 9999", "1970년에서 9999년 사이의 시각이어야 합니다"},
    {"must be CHARGE, USE, REFUND or ADJUST", "CHARGE, USE, REFUND, ADJUST 중 하나여야 합니다"},

    // catalogue and stock
    {"there is no such product", "상품을 찾을 수 없습니다"},
    {"there is no such option", "상품 옵션을 찾을 수 없습니다"},
    {"there is no option {1}", "{1}번 옵션을 찾을 수 없습니다"},
    {"option {1} is not for sale", "{1}번 옵션은 판매하지 않습니다"},
    {"option {1} has {2} left", "{1}번 옵션은 재고가 {2}개뿐입니다"},
    {"an order has at most 10 units of one product", "한 주문에서 상품당 10개까지 살 수 있습니다"},
    {"an order has at most 30 units", "한 주문에 30개까지 담을 수 있습니다"},
    {"names an option twice", "같은 옵션을 두 번 적을 수 없습니다"},
    {"must be 1 to 30 lines", "1~30개 항목이어야 합니다"},
    {"the order's hold has ended", "이 주문에 잡아 둔 재고가 풀렸습니다"},
    {"the order holds other lines already", "이 주문에는 이미 다른 상품의 재고가 잡혀 있습니다"},
    {"the stock is no longer held", "잡아 둔 재고가 풀렸습니다"},
    {"the hold cannot be released", "잡아 둔 재고를 풀 수 없는 상태입니다"},
    {"the hold cannot expire", "잡아 둔 재고를 만료시킬 수 없는 상태입니다"},
    {"the order's stock was not taken", "이 주문의 재고가 차감되지 않았습니다"},
    {"the stock was held a moment ago", "방금 잡아 둔 재고입니다"},
    {"must be 1 (or 0 to set) to 1,000,000,000", "1~1,000,000,000이어야 합니다 (set은 0부터)"},
    {"the stock would exceed 1,000,000,000", "재고가 1,000,000,000개를 넘게 됩니다"},
    {"the stock cannot fall below what is held", "주문에 잡힌 수량보다 재고를 적게 할 수 없습니다"},
    {"must be increase, decrease or set", "increase, decrease, set 중 하나여야 합니다"},
    {"must be at most 200 characters", "200자까지 쓸 수 있습니다"},
    {"must be latest, price_asc, price_desc or popular", "latest, price_asc, price_desc, popular 중 하나여야 합니다"},
    {"must be 1 to 200 characters", "1~200자여야 합니다"},
    {"must be at most 5,000 characters", "5,000자까지 쓸 수 있습니다"},
    {"must be at most 50 characters", "50자까지 쓸 수 있습니다"},
    {"an option's name must be 1 to 100 characters", "옵션 이름은 1~100자여야 합니다"},
    {"must be a multiple of 100, 0 to 10,000,000", "0~10,000,000 사이의 100 단위여야 합니다"},
    {"must be 0 to 1,000,000,000", "0~1,000,000,000이어야 합니다"},
    {"must be at most 20", "20개까지 쓸 수 있습니다"},
    {"must be at most 100", "100개까지 쓸 수 있습니다"},
    {"must be at most 1,000", "1,000개까지 쓸 수 있습니다"},
    {"a url must be http, https or relative", "주소는 http, https 또는 상대 경로여야 합니다"},
    {"a sequence must not be negative", "순서는 0 이상이어야 합니다"},
    {"a snapshot has its own window", "스냅샷에는 기간을 지정할 수 없습니다"},
    {"must be a day, such as 2026-11-21", "2026-11-21 같은 날짜여야 합니다"},
    {"give either days, or from and to", "days 또는 from·to 중 하나만 쓸 수 있습니다"},
    {"must be before to", "to보다 앞서야 합니다"},
    {"must be before the year 10000", "10000년 이전이어야 합니다"},
    {"must not be in the future", "미래일 수 없습니다"},

    // coupons
    {"a name has 1 to 100 characters", "이름은 1~100자여야 합니다"},
    {"a code has 1 to 40 letters, digits, '-' and '_'", "코드는 영문자, 숫자, '-', '_' 1~40자여야 합니다"},
    {"a percentage is above 0 and at most 100", "할인율은 0보다 크고 100 이하여야 합니다"},
    {"a fixed value is a whole number of won, 1 or more", "정액 할인은 1원 이상의 정수여야 합니다"},
    {"a coupon is FIXED or PERCENT", "쿠폰은 FIXED 또는 PERCENT여야 합니다"},
    {"a maximum is 1 won or more", "최대 할인액은 1원 이상이어야 합니다"},
    {"a minimum is 0 won or more", "최소 주문액은 0원 이상이어야 합니다"},
    {"a campaign has 1 to 1,000,000,000 coupons", "쿠폰 수량은 1~1,000,000,000장이어야 합니다"},
    {"more coupons than that are claimed already", "이미 그보다 많은 쿠폰이 발급되었습니다"},
    {"say when claims begin", "발급 시작 시각을 지정해야 합니다"},
    {"claims end after they begin, before the year 10000", "발급 종료는 시작보다 뒤, 10000년 이전이어야 합니다"},
    {"the last day of validity is one before the year 10000", "마지막 유효일은 10000년 이전이어야 합니다"},
    {"coupons are valid for 1 to 3,650 days", "쿠폰 유효 기간은 1~3,650일이어야 합니다"},
    {"say for how many days coupons are valid, or their last day", "유효 일수 또는 마지막 유효일을 지정해야 합니다"},
    {"the last day of validity comes after the end of claims", "마지막 유효일은 발급 종료 뒤여야 합니다"},
    {"there is no such coupon", "쿠폰을 찾을 수 없습니다"},
    {"all coupons are claimed", "쿠폰이 모두 소진되었습니다"},
    {"claims have not begun", "쿠폰 발급이 아직 시작되지 않았습니다"},
    {"claims have ended", "쿠폰 발급이 끝났습니다"},
    {"you have one already", "이미 받은 쿠폰입니다"},
    {"the coupon is somebody else's", "본인의 쿠폰이 아닙니다"},
    {"the coupon is used, expired or cancelled", "사용했거나 만료·취소된 쿠폰입니다"},
    {"the coupon has expired", "유효 기간이 지난 쿠폰입니다"},
    {"the order is below the coupon's minimum", "쿠폰의 최소 주문 금액에 미치지 못합니다"},
    {"the order has another coupon already", "이미 다른 쿠폰을 쓴 주문입니다"},
    {"the order has given its coupon back", "이미 쿠폰을 되돌려준 주문입니다"},
    {"the coupon is cancelled already", "이미 취소된 쿠폰입니다"},
    {"another campaign has this code", "이미 사용 중인 코드입니다"},
    {"must be AVAILABLE, HELD, USED, EXPIRED or CANCELLED", "AVAILABLE, HELD, USED, EXPIRED, CANCELLED 중 하나여야 합니다"},
    {"a reservation lives for 1 ms to a day", "예약은 1 ms에서 하루까지 유지됩니다"},

    // cart and orders
    {"must be the id of an option", "옵션의 id여야 합니다"},
    {"the cart is worth more than we can count", "장바구니 금액이 계산할 수 있는 범위를 넘습니다"},
    {"the product is not for sale now", "지금은 판매하지 않는 상품입니다"},
    {"there is not that much in stock", "재고가 부족합니다"},
    {"the cart is full", "장바구니가 가득 찼습니다"},
    {"there is no such item in your cart", "장바구니에 없는 항목입니다"},
    {"there is no such item", "없는 항목입니다"},
    {"this is not your cart", "본인의 장바구니가 아닙니다"},
    {"this is not yours", "본인의 것이 아닙니다"},
    {"this is not your order", "본인의 주문이 아닙니다"},
    {"the item has left your cart meanwhile", "그 사이 장바구니에서 빠진 항목입니다"},
    {"names an item twice", "같은 항목이 두 번 있습니다"},
    {"give either items or cart_item_ids", "items와 cart_item_ids 중 하나만 보내야 합니다"},
    {"an order has at least one item", "주문에는 상품이 하나 이상 있어야 합니다"},
    {"the order is worth more than we can count", "주문 금액이 계산할 수 있는 범위를 넘습니다"},
    {"too many unpaid orders: pay or cancel one first", "결제하지 않은 주문이 너무 많습니다. 먼저 결제하거나 취소해 주세요"},
    {"there is no such order", "주문을 찾을 수 없습니다"},
    {"there is no such payment", "결제를 찾을 수 없습니다"},
    {"there is no such saga", "사가를 찾을 수 없습니다"},
    {"there is no such dead letter", "전달 실패 이벤트를 찾을 수 없습니다"},
    {"its sink is not configured", "전달처가 설정되어 있지 않습니다"},
    {"the saga has ended", "이미 끝난 사가입니다"},
    {"the order was not paid in time", "결제 시간이 지났습니다"},
    {"the order is paid already", "이미 결제된 주문입니다"},
    {"the order cannot be paid in its present state", "현재 상태에서는 결제할 수 없습니다"},
    {"the stock that was held for the order is gone", "주문에 잡아 둔 재고가 풀렸습니다"},
    {"must be the id of one of your coupons", "보유한 쿠폰의 id여야 합니다"},
    {"must be the id of an event of this order", "이 주문의 이벤트 id여야 합니다"},
    {"is not the status of an order", "주문 상태가 아닙니다"},
    {"must be PREPARING, SHIPPING or DELIVERED", "PREPARING, SHIPPING, DELIVERED 중 하나여야 합니다"},
    {"must be RUNNING, COMPENSATING, COMPLETED or COMPENSATED", "RUNNING, COMPENSATING, COMPLETED, COMPENSATED 중 하나여야 합니다"},
    {"the saga is not ours", "이 서버의 사가가 아닙니다"},
    {"the order is in another state", "주문이 다른 상태에 있습니다"},
    {"the saga belongs to another orchestrator", "다른 서버가 처리 중인 사가입니다"},
    {"the record lost a race", "다른 요청이 먼저 처리되었습니다"},
    {"the sink belongs to another replica", "다른 서버가 맡은 전달처입니다"},
    {"an order that is {1} cannot be {2}", "'{1}' 상태의 주문은 '{2}'(으)로 바꿀 수 없습니다"},
    {"order {1}: {2}", "주문 {1}: {2}"},
    {"refused", "거절되었습니다"},

    // what is put in
    {"cancelled", "취소"},
    {"PENDING", "결제 대기"},
    {"PAYING", "결제 중"},
    {"PAID", "결제 완료"},
    {"HELD", "확인 중"},
    {"FAILED", "실패"},
    {"EXPIRED", "만료"},
    {"CANCELLED", "취소됨"},
    {"REFUNDING", "환불 중"},
    {"REFUNDED", "환불 완료"},
    {"PREPARING", "상품 준비 중"},
    {"SHIPPING", "배송 중"},
    {"DELIVERED", "배송 완료"},
};
// clang-format on

// "0.85" in thousandths; what is no weight weighs nothing.
static int thousandths(const char *text)
{
    int weight = *text == '1' ? WEIGHT_MAX : 0;
    if (*text != '0' || text[1] != '.')
        return weight;
    for (int place = WEIGHT_MAX / 10, i = 2; place && text[i] >= '0' && text[i] <= '9'; place /= 10)
        weight += (text[i++] - '0') * place;
    return weight;
}

static int weight_of(const char *item, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (item[i] != ';')
            continue;
        const char *parameter = item + i + 1 + strspn(item + i + 1, " \t");
        if (strncasecmp(parameter, "q=", 2) == 0)
            return thousandths(parameter + 2);
    }
    return WEIGHT_MAX;
}

static bool names(const char *item, const char *tag)
{
    size_t length = strlen(tag);
    return strncasecmp(item, tag, length) == 0 &&
           (item[length] == '\0' || strchr("-,; \t", item[length]));
}

enum language language_wanted(const char *accept_language)
{
    // What each weighs by its own tag, else by "*"; the first of equals wins, English before others.
    int weights[LANGUAGE_COUNT] = {0}, others = 0;
    bool named[LANGUAGE_COUNT] = {0};
    enum language first = ENGLISH;
    bool any = false;
    for (const char *at = accept_language; at && *at; at += *at == ',') {
        at += strspn(at, " \t");
        size_t length = strcspn(at, ",");
        int weight = weight_of(at, length);
        if (*at == '*')
            others = weight;
        for (int i = 0; i < LANGUAGE_COUNT; i++) {
            if (!names(at, TAGS[i]) || (named[i] && weights[i] >= weight))
                continue;
            named[i] = true;
            weights[i] = weight;
            first = any ? first : (enum language)i;
            any = true;
        }
        at += length;
    }
    enum language best = first;
    for (int i = 0; i < LANGUAGE_COUNT; i++)
        weights[i] = named[i] ? weights[i] : others;
    for (int i = 0; i < LANGUAGE_COUNT; i++)
        if (weights[i] > weights[best])
            best = (enum language)i;
    return weights[best] > 0 ? best : ENGLISH;
}

const char *language_tag(enum language language)
{
    return TAGS[language];
}

struct parts {
    const char *starts[PARTS_MAX];
    size_t lengths[PARTS_MAX];
};

// True when `text` is `pattern` with something for each {N}, which is then parts N - 1.
static bool match(const char *pattern, const char *text, struct parts *parts)
{
    const char *hole;
    for (; (hole = strchr(pattern, '{')); pattern = hole + 3) {
        size_t before = (size_t)(hole - pattern), part = (size_t)(hole[1] - '1');
        if (strncmp(pattern, text, before) != 0)
            return false;
        text += before;
        const char *next = hole + 3;
        size_t literal = strcspn(next, "{");
        const char *end = literal ? text : text + strlen(text);
        while (*end && strncmp(end, next, literal) != 0)
            end++;
        if (end == text || part >= PARTS_MAX)
            return false;
        parts->starts[part] = text;
        parts->lengths[part] = (size_t)(end - text);
        text = end;
    }
    return strcmp(pattern, text) == 0;
}

static const char *fill(const char *pattern, const struct parts *parts, enum language language,
                        struct arena *arena)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 128);
    const char *hole;
    for (; (hole = strchr(pattern, '{')); pattern = hole + 3) {
        size_t part = (size_t)(hole[1] - '1');
        const char *said = text_copy_n(arena, parts->starts[part], parts->lengths[part]);
        const char *worded = sentence_in(language, said, arena);
        text_append(&out, text_copy_n(arena, pattern, (size_t)(hole - pattern)));
        text_append(&out, worded ? worded : said);
    }
    text_append(&out, pattern);
    return out.data;
}

const char *sentence_in(enum language language, const char *english, struct arena *arena)
{
    if (language == ENGLISH)
        return english;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct parts parts = {0};
        if (match(ROWS[i].english, english, &parts))
            return strchr(ROWS[i].korean, '{') ? fill(ROWS[i].korean, &parts, language, arena)
                                               : ROWS[i].korean;
    }
    return NULL;
}
