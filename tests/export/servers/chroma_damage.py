"""Makes the files of a Chroma that is not running forget the vectors of some records, as a crash between two of its files does.

    chroma_damage.py FOLDER COLLECTION N

Prints their ids as a JSON list.
"""

import json
import sqlite3
import sys


def main():
    folder, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    database = sqlite3.connect(f"{folder}/chroma.sqlite3")
    segment, topic = database.execute(
        "SELECT s.id, c.id FROM segments s JOIN collections c ON s.collection = c.id JOIN databases d ON c.database_id = d.id"
        " WHERE c.name = ? AND d.name = 'default_database' AND d.tenant_id = 'default_tenant' AND s.scope = 'METADATA'",
        (name,),
    ).fetchone()
    ids = [row[0] for row in database.execute("SELECT embedding_id FROM embeddings WHERE segment_id = ? ORDER BY id", (segment,))]
    # From the first to the last, so that they lie in several pages.
    lost = [ids[len(ids) * number // count] for number in range(count)]
    for record_id in lost:
        # Below its threshold the index is made from this queue at the server's start.
        database.execute("DELETE FROM embeddings_queue WHERE id = ? AND topic LIKE ?", (record_id, f"%{topic}"))
    database.commit()
    print(json.dumps(lost))


main()
