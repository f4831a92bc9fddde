/* event_alloc, event_bind, event_send, event_mask and event_close. */

#include "suite.h"

/* An identity that no domain has, and a port that is not open. */
#define NOBODY 0x7000
#define CLOSED (PV_PORT_COUNT - 1)

/* A channel with the peer. */
typedef struct {
  PvPort own, peers;
} Channel;

static Channel open_channel(void) {
  PvResult first = open_port(OWN, peer());
  PvResult second = bind_port(PEER, info->domain, first.value);
  if (first.status != PV_STATUS_SUCCESS || second.status != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "a channel with the peer can be opened");
  }
  return (Channel){(PvPort)first.value, (PvPort)second.value};
}

/* ---- event_alloc ---- */

static void alloc_success(void) {
  PvResult first = open_port(OWN, PV_DOMAIN_SELF), second = open_port(OWN, info->domain);
  EQUAL(first.status, PV_STATUS_SUCCESS);
  EQUAL(second.status, PV_STATUS_SUCCESS);
  CHECK(first.value >= PV_PORT_FIRST_DYNAMIC && first.value < PV_PORT_COUNT);
  CHECK(first.value != second.value);
  CHECK(!is_pending(OWN, first.value));
}

static void for_a_peer(void) {
  NEED_PEER();
  PvResult port = open_port(OWN, peer());
  EQUAL(port.status, PV_STATUS_SUCCESS);
  CHECK(port.value >= PV_PORT_FIRST_DYNAMIC);
}

static void domain_range(void) { REFUSED(pv_event_alloc(1 << 16), PV_ERROR_BAD_ARGUMENT); }
static void alloc_no_domain(void) { REFUSED(pv_event_alloc(NOBODY), PV_ERROR_NO_DOMAIN); }

const Test event_alloc_tests[] = {
    TEST_AS(event_alloc, success, alloc_success, "EVENT_ALLOC.4 EVENT_ALLOC.5 CALL.8"),
    TEST(event_alloc, for_a_peer, "EVENT_ALLOC.4"),
    TEST(event_alloc, domain_range, "EVENT_ALLOC.1"),
    TEST_AS(event_alloc, no_domain, alloc_no_domain, "EVENT_ALLOC.2"),
    END,
};

/* ---- event_bind ---- */

static void to_oneself(void) {
  PvResult first = open_port(OWN, PV_DOMAIN_SELF);
  PvResult second = bind_port(OWN, PV_DOMAIN_SELF, first.value);
  EQUAL(second.status, PV_STATUS_SUCCESS);
  CHECK(first.value != second.value);
  CHECK(is_pending(OWN, second.value));
}

static void bind_to_a_peer(void) {
  NEED_PEER();
  PvResult port = open_port(PEER, info->domain);
  PvResult own = bind_port(OWN, peer(), port.value);
  EQUAL(own.status, PV_STATUS_SUCCESS);
  OK(pv_event_send(own.value));
}

static void ranges(void) {
  REFUSED(pv_event_bind(1 << 16, 4), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, 1ull << 32), PV_ERROR_BAD_ARGUMENT);
}

static void bind_no_domain(void) { REFUSED(pv_event_bind(NOBODY, 4), PV_ERROR_NO_DOMAIN); }
static void bind_no_port(void) {
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, CLOSED), PV_ERROR_NO_PORT);
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, 0), PV_ERROR_NO_PORT);
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, PV_PORT_COUNT), PV_ERROR_NO_PORT);
}

static void reserved_for_another(void) {
  NEED_PEER();
  PvResult port = open_port(OWN, peer());
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, port.value), PV_ERROR_PORT_STATE);
}

static void bound_already(void) {
  Loop loop = loop_channel();
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, loop.send), PV_ERROR_PORT_STATE);
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, loop.other), PV_ERROR_PORT_STATE);
}

static void bind_well_known(void) {
  REFUSED(pv_event_bind(PV_DOMAIN_SELF, PV_PORT_TIMER), PV_ERROR_PORT_STATE);
}

const Test event_bind_tests[] = {
    TEST(event_bind, to_oneself, "EVENT_BIND.6 EVENT_BIND.7"),
    TEST_AS(event_bind, to_a_peer, bind_to_a_peer, "EVENT_BIND.6 EVENT_BIND.7"),
    TEST(event_bind, ranges, "EVENT_BIND.1"),
    TEST_AS(event_bind, no_domain, bind_no_domain, "EVENT_BIND.2"),
    TEST_AS(event_bind, no_port, bind_no_port, "EVENT_BIND.3"),
    TEST(event_bind, reserved_for_another, "EVENT_BIND.4"),
    TEST(event_bind, bound_already, "EVENT_BIND.4"),
    TEST_AS(event_bind, well_known, bind_well_known, "EVENT_BIND.4"),
    END,
};

/* ---- event_send ---- */

static void pending(void) {
  Loop loop = loop_channel();
  PvResult result = pv_event_send(loop.send);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
  CHECK(is_pending(OWN, loop.other));
  CHECK(!is_pending(OWN, loop.send));
  CHECK(*vcpu_word(PV_VCPU_EVENTS_PENDING) != 0);
}

static void does_not_queue(void) {
  Loop loop = loop_channel();
  for (int i = 0; i < 3; i++) OK(pv_event_send(loop.send));
  CHECK(is_pending(OWN, loop.other));
  quieten();
  CHECK(!is_pending(OWN, loop.other));
}

static void send_to_a_peer(void) {
  NEED_PEER();
  Channel channel = open_channel();
  took_event(PEER, channel.peers);
  OK(pv_event_send(channel.own));
  CHECK(took_event(PEER, channel.peers));
  took_event(OWN, channel.own);
  OK(call_on(PEER, PV_NUMBER_EVENT_SEND, channel.peers, 0, 0));
  /* The answer of the peer came as an event too, so this one has been taken with it. */
  CHECK(took_event(OWN, channel.own) || is_pending(OWN, channel.own));
}

static void masked_port(void) {
  Loop loop = loop_channel();
  OK(pv_event_mask(loop.other, 1));
  OK(pv_event_send(loop.send));
  CHECK(is_pending(OWN, loop.other));
  EQUAL(*vcpu_word(PV_VCPU_EVENTS_PENDING), 0);
}

static void delivered(void) {
  Loop loop = loop_channel();
  unmask_events();
  OK(pv_event_send(loop.send));
  CHECK(take_event(loop.other));
  CHECK(!is_pending(OWN, loop.other));
}

static void port_range(void) { REFUSED(pv_event_send(1ull << 32), PV_ERROR_BAD_ARGUMENT); }

static void send_no_port(void) {
  const uint64_t ports[] = {0, CLOSED, PV_PORT_COUNT, UINT32_MAX};
  for (int i = 0; i < 4; i++) REFUSED(pv_event_send(ports[i]), PV_ERROR_NO_PORT);
}

static void not_bound(void) {
  PvResult port = open_port(OWN, PV_DOMAIN_SELF);
  REFUSED(pv_event_send(port.value), PV_ERROR_PORT_STATE);
}

static void send_well_known(void) {
  for (uint64_t port = PV_PORT_TIMER; port <= PV_PORT_BALLOON; port++) {
    REFUSED(pv_event_send(port), PV_ERROR_PORT_STATE);
  }
}

const Test event_send_tests[] = {
    TEST(event_send, pending, "EVENT_SEND.4 EVENT_SEND.5 EVENT.2"),
    TEST(event_send, does_not_queue, "EVENT_SEND.4 EVENT.4 EVENT.6"),
    TEST_AS(event_send, to_a_peer, send_to_a_peer, "EVENT_SEND.4 EVENT_SEND.5"),
    TEST(event_send, masked_port, "EVENT_SEND.5"),
    TEST(event_send, delivered, "EVENT_SEND.5 TRAP_REGISTER.4 EVENT.3"),
    TEST(event_send, port_range, "EVENT_SEND.1"),
    TEST_AS(event_send, no_port, send_no_port, "EVENT_SEND.2"),
    TEST(event_send, not_bound, "EVENT_SEND.3"),
    TEST_AS(event_send, well_known, send_well_known, "EVENT_SEND.3"),
    END,
};

/* ---- event_mask ---- */

static bool is_masked(uint64_t port) {
  return *vcpu_word(PV_VCPU_MASK + port / 64 * 8) & 1ull << port % 64;
}

static void mask_bit(void) {
  PvResult port = open_port(OWN, PV_DOMAIN_SELF);
  OK(pv_event_mask(port.value, 1));
  CHECK(is_masked(port.value));
  OK(pv_event_mask(port.value, 0));
  CHECK(!is_masked(port.value));
}

static void well_known_ports(void) {
  for (uint64_t port = PV_PORT_TIMER; port <= PV_PORT_BALLOON; port++) {
    undo(OWN, PV_NUMBER_EVENT_MASK, port, 0, 0);
    OK(pv_event_mask(port, 1));
    CHECK(is_masked(port));
    OK(pv_event_mask(port, 0));
  }
}

static void unmasking_delivers(void) {
  Loop loop = loop_channel();
  OK(pv_event_mask(loop.other, 1));
  unmask_events();
  OK(pv_event_send(loop.send));
  CHECK(!take_event(loop.other));
  OK(pv_event_mask(loop.other, 0));
  CHECK(take_event(loop.other));
}

static void masked_is_not_delivered(void) {
  Loop loop = loop_channel();
  OK(pv_event_mask(loop.other, 1));
  unmask_events();
  OK(pv_event_send(loop.send));
  OK(pv_sched_yield());
  CHECK(!take_event(loop.other));
  CHECK(is_pending(OWN, loop.other));
}

static void bad_flag(void) {
  REFUSED(pv_event_mask(PV_PORT_TIMER, 2), PV_ERROR_BAD_ARGUMENT);
}

static void mask_no_port(void) { REFUSED(pv_event_mask(CLOSED, 1), PV_ERROR_NO_PORT); }

const Test event_mask_tests[] = {
    TEST(event_mask, mask_bit, "EVENT_MASK.4"),
    TEST(event_mask, well_known_ports, "EVENT_MASK.4 EVENT.1"),
    TEST(event_mask, unmasking_delivers, "EVENT_MASK.5 EVENT.5"),
    TEST(event_mask, masked_is_not_delivered, "EVENT_MASK.4 EVENT_SEND.5 EVENT.5"),
    TEST(event_mask, bad_flag, "EVENT_MASK.2"),
    TEST_AS(event_mask, no_port, mask_no_port, "EVENT_MASK.3"),
    END,
};

/* ---- event_close ---- */

static void unbound(void) {
  PvResult port = open_port(OWN, PV_DOMAIN_SELF);
  OK(pv_event_close(port.value));
  REFUSED(pv_event_close(port.value), PV_ERROR_NO_PORT);
}

static void other_end(void) {
  Loop loop = loop_channel();
  OK(pv_event_close(loop.other));
  REFUSED(pv_event_send(loop.send), PV_ERROR_PORT_STATE);
  PvResult again = bind_port(OWN, PV_DOMAIN_SELF, loop.send);
  EQUAL(again.status, PV_STATUS_SUCCESS);
}

static void other_end_of_a_peer(void) {
  NEED_PEER();
  Channel channel = open_channel();
  OK(call_on(PEER, PV_NUMBER_EVENT_CLOSE, channel.peers, 0, 0));
  REFUSED(pv_event_send(channel.own), PV_ERROR_PORT_STATE);
}

static void close_no_port(void) {
  REFUSED(pv_event_close(CLOSED), PV_ERROR_NO_PORT);
  REFUSED(pv_event_close(0), PV_ERROR_NO_PORT);
}

static void close_well_known(void) {
  for (uint64_t port = PV_PORT_TIMER; port <= PV_PORT_BALLOON; port++) {
    REFUSED(pv_event_close(port), PV_ERROR_PORT_STATE);
  }
}

const Test event_close_tests[] = {
    TEST(event_close, unbound, "EVENT_CLOSE.4"),
    TEST(event_close, other_end, "EVENT_CLOSE.5"),
    TEST(event_close, other_end_of_a_peer, "EVENT_CLOSE.5"),
    TEST_AS(event_close, no_port, close_no_port, "EVENT_CLOSE.2"),
    TEST_AS(event_close, well_known, close_well_known, "EVENT_CLOSE.3"),
    END,
};
