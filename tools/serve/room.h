/* room.h: of the keeper: what room there is for a model, and which models are in its way. */
#ifndef WEFT_SERVE_ROOM_H
#define WEFT_SERVE_ROOM_H

#include "tools/serve/server.h"

/* Which loaded models are counted: none, those that are in use and do not leave, all that are in use, all. */
typedef enum room_of { ROOM_NONE, ROOM_STAYING, ROOM_IN_USE, ROOM_LOADED } room_of;

/* Loaded, and nobody would miss it. */
bool room_is_idle(const served *m);
/* Bytes that models may have together on each device of a model, whose plan is known and whose devices are open. */
void room_look(const server *s, served *m);
/* A device on which the model does not fit beside those; NULL: it fits. */
const weft_device_info *room_short(const server *s, const served *m, room_of whose);
/* Why: always a failure. */
weft_status room_fail(const server *s, const served *m, const weft_device_info *device, weft_error *err);
/* The model with bytes there that was not used for longest: of those that are idle, or of those in use that do not
 * leave yet; NULL: there is none. */
served *room_oldest(server *s, const weft_device_info *device, bool idle);

#endif
