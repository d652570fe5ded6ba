// JSON into messages and back: tables of what is right and what is wrong, and where.

#include "gateway/transcode.h"

#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "proto/user.pb-c.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;
static struct field_errors errors;

static void set_up(void)
{
    arena = arena_create();
    errors = (struct field_errors){.arena = arena};
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(transcode, .init = set_up, .fini = tear_down);

static void *read_as(const ProtobufCMessageDescriptor *type, const char *json)
{
    ProtobufCMessage *message = message_create(type, arena);
    errors = (struct field_errors){.arena = arena};
    transcode_body(json, strlen(json), NULL, 0, message, &errors);
    return message;
}

static const char *written(const ProtobufCMessage *message)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 16);
    transcode_write(message, &out);
    return out.data;
}

static void expect_error(const char *json, const char *field, const char *message)
{
    bool named = false;
    for (size_t i = 0; i < errors.count; i++)
        named = named || (strcmp(errors.items[i].field, field) == 0 &&
                          strstr(errors.items[i].message, message));
    cr_expect(named, "%s: want %s: %s; got %zu errors, first %s: %s", json, field, message,
              errors.count, errors.count ? errors.items[0].field : "-",
              errors.count ? errors.items[0].message : "-");
}

Test(transcode, names_what_is_wrong_with_an_order)
{
    static const struct {
        const char *json, *field, *message;
    } rows[] = {
        {"{\"itemz\":[]}",                                        "itemz",              "not a field"          },
        {"{\"items\":{}}",                                        "items",              "must be an array"     },
        {"{\"items\":null}",                                      "items",              "must be an array"     },
        {"{\"items\":[1]}",                                       "items[0]",           "must be an object"    },
        {"{\"items\":[null]}",                                    "items[0]",           "must be an object"    },
        {"{\"items\":[{\"option_id\":1},{\"option_id\":\"2\"}]}", "items[1].option_id", "integer"              },
        {"{\"items\":[{\"quantity\":1.0}]}",                      "items[0].quantity",  "integer"              },
        {"{\"items\":[{\"quantity\":1e2}]}",                      "items[0].quantity",  "integer"              },
        {"{\"items\":[{\"quantity\":-0.0}]}",                     "items[0].quantity",  "integer"              },
        {"{\"items\":[{\"quantity\":true}]}",                     "items[0].quantity",  "integer"              },
        {"{\"items\":[{\"quantity\":null}]}",                     "items[0].quantity",  "integer"              },
        {"{\"items\":[{\"quantity\":[1]}]}",                      "items[0].quantity",  "integer"              },
        {"{\"items\":[{\"price\":1}]}",                           "items[0].price",     "not a field"          },
        {"{\"items\":[{\"quantity\":9223372036854775808}]}",      "items[0].quantity",  "range"                },
        {"{\"items\":[{\"quantity\":-9223372036854775809}]}",     "items[0].quantity",  "range"                },
        {"{\"items\":[{\"option_id\":1},{\"quantity\":1e400}]}",  "items[1].quantity",  "range"                },
        {"{\"items\":[],\"items\":[]}",                           "items",              "more than once"       },
        {"{\"items\":[{\"quantity\":1,\"quantity\":1}]}",         "items[0].quantity",  "more than once"       },
        {"{\"cart_item_ids\":[1,\"2\"]}",                         "cart_item_ids[1]",   "integer"              },
        {"{\"cart_item_ids\":[1,2,99999999999999999999]}",        "cart_item_ids[2]",   "range"                },
        {"{\"user_coupon_id\":\"1\"}",                            "user_coupon_id",     "integer"              },
        {"{\"user_coupon_id\":{\"value\":1}}",                    "user_coupon_id",     "integer"              },
        {"[]",                                                    "",                   "must be a JSON object"},
        {"null",                                                  "",                   "must be a JSON object"},
        {"1",                                                     "",                   "must be a JSON object"},
        {"{",                                                     "",                   "ends too early"       },
        {"{\"items\":[",                                          "items[0]",           "ends too early"       },
        {"{} {}",                                                 "",                   "something follows"    },
        {"{\"items\":[],}",                                       "",                   "not well-formed"      },
        {"{items:[]}",                                            "",                   "not well-formed"      },
        {"{\"cart_item_ids\":[01]}",                              "cart_item_ids[0]",   "not well-formed"      },
        {"{\"cart_item_ids\":[+1]}",                              "cart_item_ids[0]",   "not well-formed"      },
        {"{\"cart_item_ids\":[NaN]}",                             "cart_item_ids[0]",   "not well-formed"      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        read_as(&baro__order__place_order_request__descriptor, rows[i].json);
        expect_error(rows[i].json, rows[i].field, rows[i].message);
    }
}

Test(transcode, names_what_must_be_given)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *json, *field;
    } rows[] = {
        {&baro__product__change_stock_request__descriptor,   "{\"operation\":\"set\"}",      "quantity"        },
        {&baro__product__add_option_request__descriptor,     "{\"name\":\"L\",\"stock\":5}", "price"           },
        {&baro__product__create_product_request__descriptor,
         "{\"options\":[{\"price\":0},{\"name\":\"L\"}]}",                                   "options[1].price"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        read_as(rows[i].type, rows[i].json);
        expect_error(rows[i].json, rows[i].field, "must be given");
        cr_expect_eq(errors.count, 1);
    }
}

Test(transcode, names_what_is_wrong_with_texts_and_types_of_their_own)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *json, *field, *message;
    } rows[] = {
        {&baro__user__login_request__descriptor,             "{\"email\":1}",                      "email",     "must be a string"},
        {&baro__user__login_request__descriptor,             "{\"email\":null}",                   "email",     "must be a string"},
        {&baro__user__login_request__descriptor,             "{\"email\":\"\\ud800\"}",            "email",     "not well-"       },
        {&baro__user__login_request__descriptor,             "{\"email\":\"\\udc00x\"}",           "email",     "not well-"       },
        {&baro__user__login_request__descriptor,             "{\"email\":\"a\\u0000b\"}",          "email",     "U+0000"          },
        {&baro__user__login_request__descriptor,             "{\"email\":\"a\xff\"}",              "email",     "UTF-8"           },
        {&baro__user__login_request__descriptor,             "{\"email\":\"\xed\xa0\x80\"}",       "email",     "UTF-8"           },
        {&baro__user__login_request__descriptor,             "{\"email\":\"a\nb\"}",               "email",     "not well-"       },
        {&baro__user__login_request__descriptor,             "{\"a\\u0000\":1}",                   "a\\u0000",  "U+0000"          },
        {&baro__user__login_request__descriptor,             "{\"role\":\"ADMIN\"}",               "role",      "not a field"     },
        {&baro__order__set_order_status_request__descriptor, "{\"status\":\"LOST\"}",              "status",
         "must be one of PENDING, PAYING, HELD"                                                                                   },
        {&baro__order__set_order_status_request__descriptor, "{\"status\":\"\"}",                  "status",
         "must be one of"                                                                                                         },
        {&baro__order__set_order_status_request__descriptor, "{\"status\":\"UNSPECIFIED\"}",
         "status",                                                                                              "must be one of"  },
        {&baro__order__set_order_status_request__descriptor, "{\"status\":4}",                     "status",
         "must be one of"                                                                                                         },
        {&baro__order__set_order_status_request__descriptor, "{\"status\":\"ORDER_STATUS_PAID\"}",
         "status",                                                                                              "must be one of"  },
        {&baro__order__pay_order_request__descriptor,        "{\"wait_ms\":2147483648}",           "wait_ms",
         "range"                                                                                                                  },
        {&baro__product__update_product_request__descriptor, "{\"is_active\":1}",                  "is_active",
         "true or false"                                                                                                          },
        {&baro__product__update_product_request__descriptor, "{\"is_active\":\"true\"}",
         "is_active",                                                                                           "true or false"   },
        {&baro__product__update_product_request__descriptor, "{\"name\":5}",                       "name",
         "must be a string"                                                                                                       },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":12.345}",                 "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":\"12.345\"}",             "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":\"1e2\"}",                "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":\"\"}",                   "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":\".5\"}",                 "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":\"5.\"}",                 "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":1e15}",                   "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":9223372036854775807}",
         "value",                                                                                               "two decimals"    },
        {&baro__coupon__create_campaign_request__descriptor, "{\"value\":true}",                   "value",
         "two decimals"                                                                                                           },
        {&baro__coupon__create_campaign_request__descriptor, "{\"starts_at\":1700000000}",
         "starts_at",                                                                                           "must be a time"  },
        {&baro__coupon__create_campaign_request__descriptor, "{\"starts_at\":\"tomorrow\"}",
         "starts_at",                                                                                           "must be a time"  },
        {&baro__coupon__create_campaign_request__descriptor,
         "{\"starts_at\":\"2026-02-30T00:00:00Z\"}",                                               "starts_at", "must be a time"  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        read_as(rows[i].type, rows[i].json);
        expect_error(rows[i].json, rows[i].field, rows[i].message);
    }
}

Test(transcode, collects_all_errors_of_a_body)
{
    read_as(&baro__user__signup_request__descriptor,
            "{\"email\":1,\"role\":\"ADMIN\",\"name\":[]}");
    cr_assert_eq(errors.count, 3);
    expect_error("", "email", "string");
    expect_error("", "role", "not a field");
    expect_error("", "name", "string");
}

Test(transcode, bounds_the_number_of_errors)
{
    struct text_buffer json;
    text_buffer_init(&json, arena, 4096);
    text_append_char(&json, '{');
    for (int i = 0; i < 100; i++)
        text_appendf(&json, "%s\"field%d\":1", i ? "," : "", i);
    text_append_char(&json, '}');
    read_as(&baro__user__login_request__descriptor, json.data);
    cr_assert_eq(errors.count, FIELD_ERRORS_MAX);
}

Test(transcode, refuses_what_is_nested_deeper_than_eight)
{
    read_as(&baro__user__login_request__descriptor, "{\"email\":[[[[[[[1]]]]]]]}");
    expect_error("eight", "email", "must be a string");
    read_as(&baro__user__login_request__descriptor, "{\"email\":[[[[[[[[1]]]]]]]]}");
    expect_error("nine", "email[0][0][0][0][0][0][0]", "8 levels");
    char deep[40000];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    read_as(&baro__user__login_request__descriptor, deep);
    expect_error("deep", "[0][0][0][0][0][0][0][0]", "8 levels");
}

Test(transcode, does_not_take_brackets_in_strings_for_nesting)
{
    const Baro__User__LoginRequest *login =
        read_as(&baro__user__login_request__descriptor, "{\"email\":\"[[[[[[[[[[{{{{\\\"[[\"}");
    cr_assert_eq(errors.count, 0);
    cr_assert_str_eq(login->email, "[[[[[[[[[[{{{{\"[[");
}

Test(transcode, reads_an_order)
{
    const Baro__Order__PlaceOrderRequest *order =
        read_as(&baro__order__place_order_request__descriptor,
                "{\"items\":[{\"option_id\":5,\"quantity\":2},{\"option_id\":-0,\"quantity\":"
                "9223372036854775807}],\"cart_item_ids\":[7,8],\"user_coupon_id\":9}");
    cr_assert_eq(errors.count, 0);
    cr_assert_eq(order->n_items, 2);
    cr_assert_eq(order->items[0]->option_id, 5);
    cr_assert_eq(order->items[0]->quantity, 2);
    cr_assert_eq(order->items[1]->option_id, 0);
    cr_assert_eq(order->items[1]->quantity, INT64_MAX);
    cr_assert_eq(order->n_cart_item_ids, 2);
    cr_assert_eq(order->cart_item_ids[1], 8);
    cr_assert_eq(order->user_coupon_id->value, 9);
}

Test(transcode, takes_null_for_what_may_be_absent)
{
    const Baro__Order__PlaceOrderRequest *order =
        read_as(&baro__order__place_order_request__descriptor, "{\"user_coupon_id\":null}");
    cr_assert_eq(errors.count, 0);
    cr_assert_null(order->user_coupon_id);
}

Test(transcode, reads_texts_as_they_are)
{
    const Baro__User__LoginRequest *login =
        read_as(&baro__user__login_request__descriptor,
                "{\"email\":\"\\ud55c\\uD83D\\uDE00 \\\"\\/\\n\",\"password\":\"빨강\"}");
    cr_assert_eq(errors.count, 0);
    cr_assert_str_eq(login->email, "한😀 \"/\n");
    cr_assert_str_eq(login->password, "빨강");
}

Test(transcode, reads_decimals_exactly)
{
    static const struct {
        const char *json;
        int64_t hundredths;
    } rows[] = {
        {"10",          1000  },
        {"0",           0     },
        {"-0",          0     },
        {"12.5",        1250  },
        {"0.29",        29    },
        {"1.1",         110   },
        {"99.99",       9999  },
        {"-0.25",       -25   },
        {"1e2",         10000 },
        {"\"33.3\"",    3330  },
        {"\"-5\"",      -500  },
        {"\"1000.01\"", 100001},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const Baro__Coupon__CreateCampaignRequest *campaign =
            read_as(&baro__coupon__create_campaign_request__descriptor,
                    text_printf(arena, "{\"value\":%s}", rows[i].json));
        cr_expect_eq(errors.count, 0, "%s", rows[i].json);
        cr_expect_eq(campaign->value->hundredths, rows[i].hundredths, "%s", rows[i].json);
    }
}

Test(transcode, reads_every_decimal_with_two_places)
{
    for (int64_t n = 0; n <= 20000; n++) {
        const char *json =
            text_printf(arena, "{\"value\":%d.%02d}", (int)(n / 100), (int)(n % 100));
        const Baro__Coupon__CreateCampaignRequest *campaign =
            read_as(&baro__coupon__create_campaign_request__descriptor, json);
        cr_assert(errors.count == 0 && campaign->value->hundredths == n, "%s", json);
    }
}

Test(transcode, reads_enums_times_and_optional_values)
{
    const Baro__Coupon__CreateCampaignRequest *campaign =
        read_as(&baro__coupon__create_campaign_request__descriptor,
                "{\"type\":\"PERCENT\",\"starts_at\":\"2026-01-31T18:00:00+09:00\","
                "\"valid_days\":7,\"max_discount_amount\":0}");
    cr_assert_eq(errors.count, 0);
    cr_assert_eq(campaign->type, BARO__COUPON__COUPON_TYPE__COUPON_TYPE_PERCENT);
    cr_assert_eq(campaign->starts_at->us, INT64_C(1769850000) * 1000000);
    cr_assert_eq(campaign->valid_days, 7);
    cr_assert_not_null(campaign->max_discount_amount);
    cr_assert_null(campaign->ends_at);

    const Baro__Product__UpdateProductRequest *update =
        read_as(&baro__product__update_product_request__descriptor,
                "{\"is_active\":false,\"description\":\"\"}");
    cr_assert_eq(errors.count, 0);
    cr_assert(update->is_active && !update->is_active->value);
    cr_assert_str_eq(update->description->value, "");
    cr_assert_null(update->name);
}

Test(transcode, refuses_fields_that_others_set)
{
    ProtobufCMessage *message = message_create(&baro__order__pay_order_request__descriptor, arena);
    const ProtobufCFieldDescriptor *taken[] = {
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "order_id"),
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "wait_ms"),
    };
    const char *json = "{\"order_id\":1,\"wait_ms\":30000,\"user_coupon_id\":3}";
    transcode_body(json, strlen(json), taken, 2, message, &errors);
    cr_assert_eq(errors.count, 2);
    expect_error(json, "order_id", "not a field");
    expect_error(json, "wait_ms", "not a field");
    cr_assert_eq(((Baro__Order__PayOrderRequest *)message)->order_id, 0);
}

Test(transcode, writes_every_field_of_an_empty_message)
{
    cr_assert_str_eq(
        written(message_create(&baro__order__order_view__descriptor, arena)),
        "{\"id\":0,\"user_id\":0,\"status\":\"\",\"total_amount\":0,\"discount_amount\":0,"
        "\"final_amount\":0,\"user_coupon_id\":null,\"items\":[],\"payments\":[],\"timeline\":[],"
        "\"failure_reason\":\"\",\"created_at\":null,\"expires_at\":null,\"paid_at\":null}");
    cr_assert_str_eq(written(message_create(&baro__empty__descriptor, arena)), "{}");
}

Test(transcode, writes_values_and_lists)
{
    Baro__Timestamp at = BARO__TIMESTAMP__INIT;
    at.us = INT64_C(1769850000) * 1000000;
    Baro__Order__StatusChange changes[2];
    baro__order__status_change__init(&changes[0]);
    baro__order__status_change__init(&changes[1]);
    char reason[] = "\"빨강\"\x01";
    changes[0].status = BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PENDING;
    changes[0].at = &at;
    int unknown = 99;
    memcpy(&changes[1].status, &unknown, sizeof(unknown));
    changes[1].reason = reason;
    Baro__Order__StatusChange *timeline[] = {&changes[0], &changes[1]};
    Baro__Order__OrderView order;
    baro__order__order_view__init(&order);
    order.id = INT64_MAX;
    order.user_id = INT64_MIN;
    order.timeline = timeline;
    order.n_timeline = 2;
    const char *json = written(&order.base);
    cr_assert(strstr(json, "\"id\":9223372036854775807,\"user_id\":-9223372036854775808,"));
    cr_assert(strstr(json, "[{\"status\":\"PENDING\",\"at\":\"2026-01-31T09:00:00Z\",\"reason\":"
                           "\"\"},{\"status\":\"\",\"at\":null,\"reason\":"
                           "\"\\\"빨강\\\"\\u0001\"}]"),
              "%s", json);
}

Test(transcode, writes_decimals_shortest)
{
    static const struct {
        int64_t hundredths;
        const char *value;
    } decimals[] = {
        {0,    "\"value\":0,"    },
        {1000, "\"value\":10,"   },
        {1250, "\"value\":12.5," },
        {1205, "\"value\":12.05,"},
        {5,    "\"value\":0.05," },
        {-5,   "\"value\":-0.05,"},
        {-120, "\"value\":-1.2," },
    };
    for (size_t i = 0; i < COUNT(decimals); i++) {
        Baro__Decimal value = BARO__DECIMAL__INIT;
        value.hundredths = decimals[i].hundredths;
        Baro__Coupon__Campaign campaign;
        baro__coupon__campaign__init(&campaign);
        campaign.value = &value;
        cr_expect(strstr(written(&campaign.base), decimals[i].value), "%s", decimals[i].value);
    }
}

Test(transcode, reads_back_what_it_writes)
{
    const char *json = "{\"name\":\"빨강\",\"code\":\"C-1\",\"type\":\"PERCENT\",\"value\":12.5,"
                       "\"max_discount_amount\":null,\"min_order_amount\":-7,\"total_quantity\":3,"
                       "\"starts_at\":\"2026-01-31T09:00:00Z\",\"ends_at\":null,\"valid_days\":7,"
                       "\"last_day\":null}";
    const ProtobufCMessage *message =
        read_as(&baro__coupon__create_campaign_request__descriptor, json);
    cr_assert_eq(errors.count, 0);
    cr_assert_str_eq(written(message), json);
}

Test(transcode, says_which_type_it_cannot_write)
{
    cr_assert(!failed(transcode_supports(&baro__order__order_view__descriptor)));
    struct status st = transcode_supports(&baro__rpc_request__descriptor);
    cr_assert(failed(st));
    cr_assert_str_eq(st.field, "call_id");
}
