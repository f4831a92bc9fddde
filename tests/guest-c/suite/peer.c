/* The other domain. */

#include "peer.h"

#include "traps.h"

/* Grants that the tester tries, and turns that it waits for one to open. */
#define FIRST_GRANTS 4
#define PATIENCE 100000

/* Pages at the end of a domain's memory that tests use. */
#define TEST_PAGES 64

/* What can be asked for. */
enum { CALL, READ, WRITE, FRAME, TOOK_EVENT, TEST_PAGE, STOP };

/* The shared page. */
typedef volatile struct {
  uint64_t asked;    /* number of the last request: written by the tester */
  uint64_t answered; /* number of the last answer: written by the peer */
  uint64_t port;     /* the peer's port, for the tester to bind */
  uint64_t kind;
  uint64_t arguments[4];
  PvResult result;
} Mailbox;

static Mailbox *mailbox;
static uint64_t the_peer, own_port;

bool has_peer(void) { return mailbox != NULL; }
uint64_t peer(void) { return the_peer; }

/* The page, on either side, that is or becomes the mailbox. */
static PvPfn mailbox_page(void) { return info->free_pfn; }

/* ANCHOR: block */
/* Blocks until the condition holds. Between looking and blocking no event can be missed: event
   traps are masked until the call unmasks them. */
#define BLOCK_UNTIL(condition)             \
  do {                                     \
    mask_events();                         \
    while (!(condition)) {                 \
      pv_sched_block();                    \
      mask_events();                       \
    }                                      \
  } while (0)
/* ANCHOR_END: block */

static uint64_t load_acquire(volatile uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store_release(volatile uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static PvResult carry_out(uint64_t kind, const uint64_t a[4]) {
  PvResult result = {0, 0};
  switch (kind) {
    case CALL:
      return pv_call(a[0], a[1], a[2], a[3], 0, 0, 0);
    case READ:
      result.value = words_of(a[0])[a[1]];
      break;
    case WRITE:
      words_of(a[0])[a[1]] = a[2];
      break;
    case FRAME:
      result.value = frame_of(a[0]);
      break;
    case TOOK_EVENT:
      result.value = take_event((PvPort)a[0]);
      break;
    case TEST_PAGE:
      result.value = info->frames - TEST_PAGES + a[0];
      break;
    default:
      break;
  }
  return result;
}

bool serve(uint64_t tester) {
  mailbox = (Mailbox *)address_of(mailbox_page());
  PvResult port = pv_event_alloc(tester);
  mailbox->port = port.value;
  PvResult grant = pv_grant_share(tester, frame_of(mailbox_page()), PV_ACCESS_READ_WRITE);
  if (port.status != PV_STATUS_SUCCESS || grant.status != PV_STATUS_SUCCESS) return false;
  for (uint64_t number = 1;; number++) {
    BLOCK_UNTIL(load_acquire(&mailbox->asked) == number);
    uint64_t kind = mailbox->kind, arguments[4];
    for (int i = 0; i < 4; i++) arguments[i] = mailbox->arguments[i];
    PvResult result = carry_out(kind, arguments);
    mailbox->result.status = result.status;
    mailbox->result.value = result.value;
    store_release(&mailbox->answered, number);
    pv_event_send(port.value);
    if (kind == STOP) return true;
  }
}

static PvResult ask(Side side, uint64_t kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  uint64_t arguments[4] = {a, b, c, d};
  if (side == OWN || !has_peer()) return carry_out(kind, arguments);
  mailbox->kind = kind;
  for (int i = 0; i < 4; i++) mailbox->arguments[i] = arguments[i];
  uint64_t number = mailbox->asked + 1;
  bool was_masked = *vcpu_word(PV_VCPU_EVENTS_MASKED);
  mask_events();
  store_release(&mailbox->asked, number);
  pv_event_send(own_port);
  BLOCK_UNTIL(load_acquire(&mailbox->answered) == number);
  PvResult result = {mailbox->result.status, mailbox->result.value};
  take_event((PvPort)own_port);
  if (!was_masked) unmask_events();
  return result;
}

/* Opens one of the first grants of the domain. */
static bool find_grant(uint64_t domain, PvResult *grant) {
  for (uint64_t turn = 0; turn < PATIENCE; turn++) {
    for (uint64_t number = 0; number < FIRST_GRANTS; number++) {
      *grant = pv_grant_map(domain, number, PV_ACCESS_READ_WRITE);
      if (grant->status == PV_STATUS_SUCCESS) return true;
    }
    pv_sched_yield();
  }
  return false;
}

bool meet(uint64_t domain) {
  PvResult grant;
  if (!find_grant(domain, &grant)) return false;
  /* The peer's page takes the place of one of our own. */
  uint64_t address = address_of(mailbox_page());
  uint64_t entry = leaf(grant.value & PV_GRANT_FRAME_MASK, FOR_WRITING);
  if (pv_pte_update(0, page_target(address), entry).status != PV_STATUS_SUCCESS) return false;
  Mailbox *page = (Mailbox *)address;
  PvResult port = pv_event_bind(domain, page->port);
  if (port.status != PV_STATUS_SUCCESS) return false;
  mailbox = page;
  own_port = port.value;
  the_peer = domain;
  return true;
}

void stop_peer(void) {
  if (has_peer()) ask(PEER, STOP, 0, 0, 0, 0);
}

PvResult call_on(Side side, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
  return ask(side, CALL, number, a0, a1, a2);
}

uint64_t read_word(Side side, PvPfn page, uint64_t word) {
  return ask(side, READ, page, word, 0, 0).value;
}

void write_word(Side side, PvPfn page, uint64_t word, uint64_t value) {
  ask(side, WRITE, page, word, value, 0);
}

PvMfn frame_on(Side side, PvPfn page) { return ask(side, FRAME, page, 0, 0, 0).value; }

bool took_event(Side side, PvPort port) {
  return ask(side, TOOK_EVENT, port, 0, 0, 0).value != 0;
}

PvPfn test_page(Side side, uint64_t index) {
  return ask(side, TEST_PAGE, index, 0, 0, 0).value;
}

PvDomainInfo query(Side side) {
  union {
    PvDomainInfo domain;
    uint64_t words[sizeof(PvDomainInfo) / 8];
  } answer = {.words = {0}};
  if (side == PEER && !has_peer()) return answer.domain;
  if (call_on(side, PV_NUMBER_DOMAIN_QUERY, PV_DOMAIN_SELF, 0, 0).status == PV_STATUS_SUCCESS) {
    for (uint64_t i = 0; i < sizeof(PvDomainInfo) / 8; i++) {
      answer.words[i] = read_word(side, PV_ARGUMENT_PFN, i);
    }
  }
  return answer.domain;
}
