#pragma once
// Domain <-> protobuf. Messages live in the arena and borrow the texts of what they show.

#include "lib/service/wire.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "services/product/store.h"

// In

// The query of a page; limit is one row more than the page shows, to know whether another follows.
// VALIDATION_ERROR names the field.
struct status wire_product_query(const Baro__Product__ListProductsRequest *request, int64_t now_us,
                                 struct arena *arena, struct product_query *query);

// The new product of a request, checked.
struct status wire_new_product(const Baro__Product__CreateProductRequest *request,
                               struct arena *arena, struct product *product);

// Changes the product by what the request has, and checks it.
struct status wire_product_changes(const Baro__Product__UpdateProductRequest *request,
                                   struct arena *arena, struct product *product);

// The images of a request, checked.
struct status wire_images(Baro__Product__Image *const *images, size_t count, struct arena *arena,
                          struct image **result);

struct hold_wish wire_hold_wish(const Baro__Product__HoldStockRequest *request,
                                struct arena *arena);

struct popular_wish wire_popular_wish(const Baro__Product__ListPopularRequest *request);

// The lines of an order that was paid, one after the other in `sales`; returns their number.
size_t wire_sales(const Baro__Order__OrderChanged *order, struct sale *sales);

// Out

const ProtobufCMessage *wire_product_view(const struct product *product, struct arena *arena);
const ProtobufCMessage *wire_admin_product(const struct product *product, struct arena *arena);
const ProtobufCMessage *wire_stock_level(const struct stock *stock, struct arena *arena);

// A page of what the query found.
const ProtobufCMessage *wire_product_page(const struct product_query *query,
                                          const struct product *products, size_t count,
                                          struct arena *arena);

// The facts of the options asked for, in the order of the request.
const ProtobufCMessage *wire_options_described(const struct book *book, const int64_t *option_ids,
                                               size_t count, struct arena *arena);

// The held lines in the order of the wish.
const ProtobufCMessage *wire_held(const struct book *book, const struct hold_wish *wish,
                                  struct arena *arena);

const ProtobufCMessage *wire_ranking(const struct ranked *ranking, size_t count,
                                     struct arena *arena);
