// Its precompiled header is what counts.
