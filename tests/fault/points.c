// Along the life of an order: gateway, order, participants, the way back, the relays. "commit" is the
// moment after COMMIT, "effect" the one before it. Who has killed a courier waits for its lease: they
// stand far apart.

#include "tests/fault/points.h"

#include "lib/base/macros.h"

const struct point points[] = {
    {"courier/picked"},

    {"gateway/received"},
    {"gateway/limited"},
    {"gateway/called"},
    {"gateway/answered"},

    {"HoldStock/fence"},
    {"HoldStock/effect"},
    {"HoldStock/commit"},
    {"HoldCoupon/effect"},
    {"HoldCoupon/commit"},
    {"PlaceOrder/received"},
    {"PlaceOrder/prepared"},
    {"PlaceOrder/fence"},
    {"PlaceOrder/effect"},
    {"PlaceOrder/commit"},
    {"PlaceOrder/reply"},
    {"Checkout/prepared"},
    {"Checkout/effect"},
    {"Checkout/commit"},
    {"PayOrder/received"},
    {"PayOrder/fence"},
    {"PayOrder/effect"},
    {"PayOrder/commit"},
    {"CancelOrder/effect"},
    {"CancelOrder/commit"},

    {"courier/sent"},

    {"saga/published"},
    {"saga/asked", "DebitWallet/effect"},
    {"saga/taken-over", "PayOrder/commit"},

    {"RedeemCoupon/received"},
    {"RedeemCoupon/fence"},
    {"RedeemCoupon/effect"},
    {"RedeemCoupon/commit"},
    {"RedeemCoupon/reply"},
    {"DebitWallet/received"},
    {"DebitWallet/fence"},
    {"DebitWallet/effect"},
    {"DebitWallet/commit"},
    {"DebitWallet/reply"},
    {"ConfirmStock/received"},
    {"ConfirmStock/fence"},
    {"ConfirmStock/effect"},
    {"ConfirmStock/commit"},
    {"ConfirmStock/reply"},

    {"courier/marked"},

    {"RecordSaga/effect"},
    {"RecordSaga/commit"},
    {"RestoreCoupon/received"},
    {"RestoreCoupon/effect"},
    {"RestoreCoupon/commit"},
    {"RestoreCoupon/reply"},
    {"RefundWallet/received"},
    {"RefundWallet/effect"},
    {"RefundWallet/commit"},
    {"RefundWallet/reply"},
    {"ReleaseStock/received"},
    {"ReleaseStock/effect"},
    {"ReleaseStock/commit"},
    {"ReleaseStock/reply"},
    {"ReturnStock/received"},
    {"ReturnStock/effect"},
    {"ReturnStock/commit"},
    {"ReturnStock/reply"},
    {"EndSaga/received"},
    {"EndSaga/effect"},
    {"EndSaga/commit"},
    {"EndSaga/reply"},

    {"Charge/fence"},
    {"Charge/effect"},
    {"Charge/commit"},
    {"Claim/fence"},
    {"Claim/effect"},
    {"Claim/commit"},

    {"consumer/picked"},
    {"consumer/applied"},
    {"consumer/marked"},
};

const size_t point_count = COUNT(points);
